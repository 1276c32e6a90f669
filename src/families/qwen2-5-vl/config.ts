/** config.json of Qwen2.5-VL, flat as published or nested as newer transformers write it: checked, cross-checked and flattened. */
import * as v from 'valibot';
import type { ModelConfig } from '../architecture.ts';
import { checkField, parseBlock, readTokens, size, textBlock, type ConfigBlock } from '../config-schema.ts';
import type { DecoderConfig } from '../decoder-config.ts';
import { readQwen2Decoder } from '../qwen2-decoder.ts';
import { readVision, visionFields, type VisionConfig } from '../vision-config.ts';

/** Architecture of a Qwen2.5-VL model. The vision tower has RMSNorm, a gated SiLU MLP, rotary positions, and windows in most blocks. */
export interface Qwen25VLConfig extends ModelConfig, DecoderConfig, VisionConfig {
  modelType: 'qwen2_5_vl';
  /** Side of an attention window in pixels. */
  windowSize: number;
  /** Vision blocks that attend to the whole picture, ascending. */
  fullAttentionBlocks: number[];
  /** Temporal positions in one second of a clip. */
  tokensPerSecond: number;
}

const visionSchema = v.object({
  ...visionFields,
  hidden_size: size(65536),
  intermediate_size: size(262144),
  out_hidden_size: size(65536),
  hidden_act: v.literal('silu'),
  window_size: size(65536),
  fullatt_block_indexes: v.pipe(v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(0))), v.maxLength(512)),
  tokens_per_second: v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0), v.maxValue(1000)), 2),
});

/**
 * @param raw a parsed config.json of this model type
 * @param file what errors call it
 * @throws LorikeetError "unsupported-model" for options not computed here, "file-corrupt" for values that cannot be
 */
export function parseQwen25VLConfig(raw: Readonly<Record<string, unknown>>, file: string): Qwen25VLConfig {
  const text = textBlock(raw, file);
  const decoder = readQwen2Decoder(text, 'Qwen2.5-VL');
  const block: ConfigBlock = { fields: raw.vision_config, file, path: 'vision_config' };
  const vision = parseBlock(visionSchema, block);
  const widths = { hidden: vision.hidden_size, intermediate: vision.intermediate_size, out: vision.out_hidden_size, outField: 'out_hidden_size', textHidden: decoder.hiddenSize };
  const common = readVision(vision, block, widths);
  const mergedPatch = vision.patch_size * vision.spatial_merge_size;
  checkField(block, vision.window_size % mergedPatch === 0, 'window_size', `windows of ${vision.window_size} pixels do not divide into merged patches of ${mergedPatch}`);
  const full = vision.fullatt_block_indexes;
  const ascending = full.every((index, i) => index < vision.depth && (i === 0 || index > full[i - 1]));
  checkField(block, ascending, 'fullatt_block_indexes', `[${full.join(', ')}] must ascend and stay below depth ${vision.depth}`);
  return {
    modelType: 'qwen2_5_vl',
    ...decoder,
    ...common,
    windowSize: vision.window_size,
    fullAttentionBlocks: full,
    tokensPerSecond: vision.tokens_per_second,
    ...readTokens(raw, text, decoder.vocabSize),
  };
}
