/** Qwen3-VL from its checkpoint. */
import type { Qwen3VLConfig } from '../../families/qwen3-vl/config.ts';
import type { ModelParts } from '../vision-language-model.ts';
import type { WeightReader } from '../weight-reader.ts';
import { readAttention, readModel } from './decoder.ts';
import { readVisionTower } from './qwen3-vision.ts';

export function buildQwen3VL(reader: WeightReader, config: Qwen3VLConfig): Promise<ModelParts> {
  const norm = (path: string, size: number) => reader.rmsNorm(path, size, config.rmsNormEps);
  return readModel(reader, config, () => readVisionTower(reader, config), { norm, mixer: (layer) => readAttention(reader, config, layer, norm) });
}
