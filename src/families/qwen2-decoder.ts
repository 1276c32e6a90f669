/** Decoder of Qwen2-VL and Qwen2.5-VL: biases on queries, keys and values, contiguous rotary sections, and the tower's merger. */
import * as v from 'valibot';
import type { ExpectedTensor, LinearModule, ModelConfig } from './architecture.ts';
import { unsupported } from './config-errors.ts';
import { fieldIn, parseBlock, type ConfigBlock } from './config-schema.ts';
import { decoderFields, readDecoder, type DecoderConfig } from './decoder-config.ts';
import { attentionModules, headModules, mlpModules, visionModule } from './decoder-modules.ts';
import { VISION } from './tensor-names.ts';
import type { VisionConfig } from './vision-config.ts';

/** What names and shapes depend on. */
export type Qwen2Model = ModelConfig & DecoderConfig & VisionConfig;

const schema = v.object({
  ...decoderFields,
  use_sliding_window: v.optional(v.literal(false), false),
  layer_types: v.nullish(v.array(v.string())),
});

/**
 * The decoder's settings, nested in text_config or at the top of the file.
 * @param family for messages
 * @throws LorikeetError "unsupported-model", "file-corrupt"
 */
export function readQwen2Decoder(block: ConfigBlock, family: string): ReturnType<typeof readDecoder> {
  const text = parseBlock(schema, block);
  const other = text.layer_types?.find((type) => type !== 'full_attention');
  if (other !== undefined) {
    throw unsupported(block.file, fieldIn(block, 'layer_types'), `layer_types holds ${JSON.stringify(other)}; ${family} is supported with "full_attention" in every layer.`);
  }
  return readDecoder(text, block, { family, interleaved: false, partialFactor: 1 });
}

/** All linear layers after the tower's blocks: merger, decoder, head. */
export function qwen2Modules(config: Qwen2Model): LinearModule[] {
  const merged = config.visionHiddenSize * config.spatialMergeSize ** 2;
  const modules = [visionModule(`${VISION}.merger.mlp.0`, merged, merged), visionModule(`${VISION}.merger.mlp.2`, config.hiddenSize, merged)];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    modules.push(...attentionModules(layer, config, { bias: true }), ...mlpModules(layer, config.hiddenSize, config.intermediateSize));
  }
  return [...modules, ...headModules(config)];
}

/**
 * The tower's other tensors.
 * @param normBias LayerNorm rather than RMSNorm
 */
export function qwen2VisionTensors(config: Qwen2Model, normBias: boolean): ExpectedTensor[] {
  const { visionHiddenSize: width, patchSize } = config;
  const norm = (path: string): ExpectedTensor[] => (normBias ? ['weight', 'bias'] : ['weight']).map((name) => ({ name: `${path}.${name}`, shape: [width] }));
  const tensors: ExpectedTensor[] = [{ name: `${VISION}.patch_embed.proj.weight`, shape: [width, config.inChannels, config.temporalPatchSize, patchSize, patchSize] }];
  for (let block = 0; block < config.visionDepth; block++) tensors.push(...norm(`${VISION}.blocks.${block}.norm1`), ...norm(`${VISION}.blocks.${block}.norm2`));
  return [...tensors, ...norm(`${VISION}.merger.ln_q`)];
}
