/** Which builder makes a family's model; one line each. */
import type { ModelConfig } from '../../families/architecture.ts';
import { invariant } from '../../protocol/errors.ts';
import type { ModelParts } from '../vision-language-model.ts';
import type { WeightReader } from '../weight-reader.ts';
import { buildQwen2VL } from './qwen2-vl.ts';
import { buildQwen25VL } from './qwen2-5-vl.ts';
import { buildQwen35 } from './qwen3-5.ts';
import { buildQwen3VL } from './qwen3-vl.ts';

/** Puts a family's parts together; `C` is the family's own configuration. */
type Builder<C extends ModelConfig> = (reader: WeightReader, config: C) => Promise<ModelParts>;

const BUILDERS: Readonly<Record<string, Builder<never>>> = {
  qwen2_vl: buildQwen2VL,
  qwen2_5_vl: buildQwen25VL,
  qwen3_vl: buildQwen3VL,
  qwen3_5: buildQwen35,
};

/** The parts of the model that `config`, read by the family of the same model type, describes. */
export function buildParts(reader: WeightReader, config: ModelConfig): Promise<ModelParts> {
  const build = BUILDERS[config.modelType];
  invariant(build, `no builder for ${config.modelType}`);
  return build(reader, config as never);
}
