/** Names and shapes of every tensor that a Qwen3-VL checkpoint must hold, and which of them are linear layers. */
import type { Qwen3VLConfig } from './model-config.ts';

/** Part of the model a tensor belongs to. */
export type ModelPart = 'language_model' | 'visual' | 'lm_head';

export interface ExpectedTensor {
  name: string;
  shape: number[];
}

/** A torch.nn.Linear: weight [outFeatures, inFeatures], path as PEFT spells it. */
export interface LinearModule {
  /** e.g. "model.language_model.layers.0.self_attn.q_proj" */
  path: string;
  outFeatures: number;
  inFeatures: number;
  bias: boolean;
  part: ModelPart;
  /** 4-bit and 8-bit loading leave lm_head alone, as transformers does. */
  quantizable: boolean;
}

const TEXT = 'model.language_model';
const VISION = 'model.visual';

/** All linear layers in the order of the model; lm_head last and only when it has its own weight. */
export function linearModules(config: Qwen3VLConfig): LinearModule[] {
  const modules: LinearModule[] = [];
  const add = (part: ModelPart, path: string, outFeatures: number, inFeatures: number, bias: boolean) =>
    modules.push({ path, outFeatures, inFeatures, bias, part, quantizable: part !== 'lm_head' });

  const hidden = config.visionHiddenSize;
  for (let block = 0; block < config.visionDepth; block++) {
    const path = `${VISION}.blocks.${block}`;
    add('visual', `${path}.attn.qkv`, 3 * hidden, hidden, true);
    add('visual', `${path}.attn.proj`, hidden, hidden, true);
    add('visual', `${path}.mlp.linear_fc1`, config.visionIntermediateSize, hidden, true);
    add('visual', `${path}.mlp.linear_fc2`, hidden, config.visionIntermediateSize, true);
  }
  for (const merger of mergers(config)) {
    add('visual', `${merger.path}.linear_fc1`, mergedSize(config), mergedSize(config), true);
    add('visual', `${merger.path}.linear_fc2`, config.hiddenSize, mergedSize(config), true);
  }

  const queries = config.numAttentionHeads * config.headDim;
  const keys = config.numKeyValueHeads * config.headDim;
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const path = `${TEXT}.layers.${layer}`;
    add('language_model', `${path}.self_attn.q_proj`, queries, config.hiddenSize, false);
    add('language_model', `${path}.self_attn.k_proj`, keys, config.hiddenSize, false);
    add('language_model', `${path}.self_attn.v_proj`, keys, config.hiddenSize, false);
    add('language_model', `${path}.self_attn.o_proj`, config.hiddenSize, queries, false);
    add('language_model', `${path}.mlp.gate_proj`, config.intermediateSize, config.hiddenSize, false);
    add('language_model', `${path}.mlp.up_proj`, config.intermediateSize, config.hiddenSize, false);
    add('language_model', `${path}.mlp.down_proj`, config.hiddenSize, config.intermediateSize, false);
  }
  if (!config.tieWordEmbeddings) add('lm_head', 'lm_head', config.vocabSize, config.hiddenSize, false);
  return modules;
}

/** Every tensor of the checkpoint by its published name. */
export function expectedTensors(config: Qwen3VLConfig): ExpectedTensor[] {
  const tensors: ExpectedTensor[] = [];
  const add = (name: string, ...shape: number[]) => tensors.push({ name, shape });
  const addNorm = (path: string, width: number) => {
    add(`${path}.weight`, width);
    add(`${path}.bias`, width);
  };
  for (const { path, outFeatures, inFeatures, bias } of linearModules(config)) {
    add(`${path}.weight`, outFeatures, inFeatures);
    if (bias) add(`${path}.bias`, outFeatures);
  }
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
    const path = `${TEXT}.layers.${layer}`;
    add(`${path}.input_layernorm.weight`, hiddenSize);
    add(`${path}.post_attention_layernorm.weight`, hiddenSize);
    add(`${path}.self_attn.q_norm.weight`, headDim);
    add(`${path}.self_attn.k_norm.weight`, headDim);
  }
  add(`${TEXT}.norm.weight`, hiddenSize);
  return tensors;
}

/** Number of parameters; a tied lm_head counts once. */
export function parameterCount(config: Qwen3VLConfig): number {
  return expectedTensors(config).reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);
}

/** Prefixes under which older or partial exports keep the same tensors, longest first. */
const OLD_PREFIXES: readonly (readonly [RegExp, string])[] = [
  [/^(?:model\.)?language_model\.lm_head(?=\.|$)/, 'lm_head'],
  [/^language_model\.model\./, `${TEXT}.`],
  [/^language_model\./, `${TEXT}.`],
  [/^model\.(?=(?:layers|embed_tokens|norm)(?:\.|$))/, `${TEXT}.`],
  [/^visual\./, `${VISION}.`],
];

/** The published spelling of a tensor or module name; names it does not know come back unchanged. */
export function canonicalName(name: string): string {
  for (const [pattern, replacement] of OLD_PREFIXES) {
    if (pattern.test(name)) return name.replace(pattern, replacement);
  }
  return name;
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
