/** Names and shapes of every tensor that a Qwen3-VL checkpoint must hold, and which of them are linear layers. */
import type { ExpectedTensor, LinearModule } from '../architecture.ts';
import { decoderModules, headModules, layerPath, mlpModules, visionModule } from '../decoder-modules.ts';
import { TEXT, VISION } from '../tensor-names.ts';
import type { Qwen3VLConfig } from './config.ts';

/** All linear layers in the order of the model; lm_head last and only when it has its own weight. */
export function linearModules(config: Qwen3VLConfig): LinearModule[] {
  const modules: LinearModule[] = [];
  const { visionHiddenSize: width, visionIntermediateSize, hiddenSize, intermediateSize } = config;
  for (let block = 0; block < config.visionDepth; block++) {
    const path = `${VISION}.blocks.${block}`;
    modules.push(
      visionModule(`${path}.attn.qkv`, 3 * width, width),
      visionModule(`${path}.attn.proj`, width, width),
      visionModule(`${path}.mlp.linear_fc1`, visionIntermediateSize, width),
      visionModule(`${path}.mlp.linear_fc2`, width, visionIntermediateSize),
    );
  }
  for (const { path } of mergers(config)) {
    modules.push(visionModule(`${path}.linear_fc1`, mergedSize(config), mergedSize(config)), visionModule(`${path}.linear_fc2`, hiddenSize, mergedSize(config)));
  }
  const queries = config.numAttentionHeads * config.headDim;
  const keys = config.numKeyValueHeads * config.headDim;
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    modules.push(
      ...decoderModules(layer, 'self_attn', 'in', [['q_proj', queries, hiddenSize], ['k_proj', keys, hiddenSize], ['v_proj', keys, hiddenSize]]),
      ...decoderModules(layer, 'self_attn', 'out', [['o_proj', hiddenSize, queries]]),
      ...mlpModules(layer, hiddenSize, intermediateSize),
    );
  }
  return [...modules, ...headModules(config)];
}

/** Every other tensor of the checkpoint by its published name. */
export function otherTensors(config: Qwen3VLConfig): ExpectedTensor[] {
  const tensors: ExpectedTensor[] = [];
  const add = (name: string, ...shape: number[]) => tensors.push({ name, shape });
  const addNorm = (path: string, width: number) => {
    add(`${path}.weight`, width);
    add(`${path}.bias`, width);
  };
  const { visionHiddenSize, patchSize, hiddenSize, headDim } = config;
  add(`${VISION}.patch_embed.proj.weight`, visionHiddenSize, config.inChannels, config.temporalPatchSize, patchSize, patchSize);
  add(`${VISION}.patch_embed.proj.bias`, visionHiddenSize);
  add(`${VISION}.pos_embed.weight`, config.numPositionEmbeddings, visionHiddenSize);
  for (let block = 0; block < config.visionDepth; block++) {
    addNorm(`${VISION}.blocks.${block}.norm1`, visionHiddenSize);
    addNorm(`${VISION}.blocks.${block}.norm2`, visionHiddenSize);
  }
  for (const merger of mergers(config)) addNorm(`${merger.path}.norm`, merger.normSize);

  add(`${TEXT}.embed_tokens.weight`, config.vocabSize, hiddenSize);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const path = layerPath(layer);
    add(`${path}.input_layernorm.weight`, hiddenSize);
    add(`${path}.post_attention_layernorm.weight`, hiddenSize);
    add(`${path}.self_attn.q_norm.weight`, headDim);
    add(`${path}.self_attn.k_norm.weight`, headDim);
  }
  add(`${TEXT}.norm.weight`, hiddenSize);
  return tensors;
}

/** Features of spatialMergeSize² patches side by side. */
function mergedSize(config: Qwen3VLConfig): number {
  return config.visionHiddenSize * config.spatialMergeSize ** 2;
}

/** The final merger normalises single patches, the deepstack mergers normalise merged ones. */
function mergers(config: Qwen3VLConfig): { path: string; normSize: number }[] {
  return [
    ...config.deepstackVisualIndexes.map((_, i) => ({ path: `${VISION}.deepstack_merger_list.${i}`, normSize: mergedSize(config) })),
    { path: `${VISION}.merger`, normSize: config.visionHiddenSize },
  ];
}
