/** config.json of Qwen2-VL, flat as published or nested as newer transformers write it: checked, cross-checked and flattened. */
import * as v from 'valibot';
import type { ModelConfig } from '../architecture.ts';
import { checkField, parseBlock, readTokens, size, textBlock, type ConfigBlock } from '../config-schema.ts';
import type { DecoderConfig } from '../decoder-config.ts';
import { readQwen2Decoder } from '../qwen2-decoder.ts';
import { readVision, visionFields, type VisionConfig } from '../vision-config.ts';

/** Architecture of a Qwen2-VL model. The vision tower has LayerNorm, quick-GELU and rotary positions over rows and columns. */
export interface Qwen2VLConfig extends ModelConfig, DecoderConfig, VisionConfig {
  modelType: 'qwen2_vl';
}

/** Of its vision_config, `hidden_size` is the language model's width and `embed_dim` the tower's own. */
const visionSchema = v.object({
  ...visionFields,
  embed_dim: size(65536),
  hidden_size: size(65536),
  mlp_ratio: v.pipe(v.number(), v.finite(), v.gtValue(0), v.maxValue(64)),
  hidden_act: v.optional(v.literal('quick_gelu'), 'quick_gelu'),
});

/**
 * @param raw a parsed config.json of this model type
 * @param file what errors call it
 * @throws LorikeetError "unsupported-model" for options not computed here, "file-corrupt" for values that cannot be
 */
export function parseQwen2VLConfig(raw: Readonly<Record<string, unknown>>, file: string): Qwen2VLConfig {
  const text = textBlock(raw, file);
  const decoder = readQwen2Decoder(text, 'Qwen2-VL');
  const block: ConfigBlock = { fields: raw.vision_config, file, path: 'vision_config' };
  const vision = parseBlock(visionSchema, block);
  const intermediate = vision.embed_dim * vision.mlp_ratio;
  checkField(block, Number.isInteger(intermediate), 'mlp_ratio', `${vision.mlp_ratio} times embed_dim ${vision.embed_dim} is no whole number`);
  return {
    modelType: 'qwen2_vl',
    ...decoder,
    ...readVision(vision, block, { hidden: vision.embed_dim, intermediate, out: vision.hidden_size, outField: 'hidden_size', textHidden: decoder.hiddenSize }),
    ...readTokens(raw, text, decoder.vocabSize),
  };
}
