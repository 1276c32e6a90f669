/** config.json of Qwen3-VL: checked, cross-checked and flattened. */
import * as v from 'valibot';
import type { ModelConfig } from '../architecture.ts';
import { parseBlock, readTokens, type ConfigBlock } from '../config-schema.ts';
import { decoderFields, readDecoder, type DecoderConfig } from '../decoder-config.ts';
import { readQwen3Vision, type Qwen3VisionConfig } from '../qwen3-vision.ts';

/** Architecture of a Qwen3-VL model, named after the fields of config.json. */
export interface Qwen3VLConfig extends ModelConfig, DecoderConfig, Qwen3VisionConfig {
  modelType: 'qwen3_vl';
}

const textSchema = v.object({ ...decoderFields, attention_bias: v.optional(v.literal(false), false) });

/**
 * @param raw a parsed config.json of this model type
 * @param file what errors call it
 * @throws LorikeetError "unsupported-model" for options not computed here, "file-corrupt" for values that cannot be
 */
export function parseQwen3VLConfig(raw: Readonly<Record<string, unknown>>, file: string): Qwen3VLConfig {
  const block: ConfigBlock = { fields: raw.text_config, file, path: 'text_config' };
  const decoder = readDecoder(parseBlock(textSchema, block), block, { family: 'Qwen3-VL', interleaved: true, partialFactor: 1 });
  return {
    modelType: 'qwen3_vl',
    ...decoder,
    ...readQwen3Vision(raw.vision_config, file, decoder.hiddenSize, decoder.numHiddenLayers),
    ...readTokens(raw, block, decoder.vocabSize),
  };
}
