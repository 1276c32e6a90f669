/** Tensors that the decoders of all families are made of. */
import type { ExpectedTensor, LayerShape, LinearModule, ModelConfig } from './architecture.ts';
import type { DecoderConfig } from './decoder-config.ts';
import { TEXT } from './tensor-names.ts';

/** A decoder layer's path. */
export const layerPath = (layer: number): string => `${TEXT}.layers.${layer}`;

/** [name, outFeatures, inFeatures, bias] */
export type ModuleSize = readonly [name: string, outFeatures: number, inFeatures: number, bias?: boolean];

/** Modules of a decoder layer that read one input, e.g. group "self_attn" of q_proj, k_proj and v_proj. */
export function decoderModules(layer: number, block: string, inputGroup: string, sizes: readonly ModuleSize[]): LinearModule[] {
  const path = `${layerPath(layer)}.${block}`;
  return sizes.map(([name, outFeatures, inFeatures, bias = false]) => ({
    path: `${path}.${name}`, outFeatures, inFeatures, bias, part: 'language_model', inputGroup: `${path}.${inputGroup}`, layer, quantizable: true,
  }));
}

/** Grouped-query attention; the output projection never has a bias. `queryOut` differs from the query width where a gate rides along. */
export function attentionModules(layer: number, config: DecoderConfig & ModelConfig, { bias = false, queryOut = config.numAttentionHeads * config.headDim } = {}): LinearModule[] {
  const { hiddenSize, headDim } = config;
  const keys = config.numKeyValueHeads * headDim;
  return [
    ...decoderModules(layer, 'self_attn', 'in', [['q_proj', queryOut, hiddenSize, bias], ['k_proj', keys, hiddenSize, bias], ['v_proj', keys, hiddenSize, bias]]),
    ...decoderModules(layer, 'self_attn', 'out', [['o_proj', hiddenSize, config.numAttentionHeads * headDim]]),
  ];
}

/** The gated MLP of a decoder layer. */
export function mlpModules(layer: number, hidden: number, inner: number): LinearModule[] {
  return [
    ...decoderModules(layer, 'mlp', 'in', [['gate_proj', inner, hidden], ['up_proj', inner, hidden]]),
    ...decoderModules(layer, 'mlp', 'down', [['down_proj', hidden, inner]]),
  ];
}

/** A module of the vision tower, which shares its input with no other. */
export function visionModule(path: string, outFeatures: number, inFeatures: number, bias = true): LinearModule {
  return { path, outFeatures, inFeatures, bias, part: 'visual', inputGroup: path, layer: null, quantizable: true };
}

/** Modules of the vision tower that read one input. */
export function visionModules(inputGroup: string, sizes: readonly ModuleSize[]): LinearModule[] {
  return sizes.map(([path, outFeatures, inFeatures, bias = true]) => ({ ...visionModule(path, outFeatures, inFeatures, bias), inputGroup }));
}

/** The head, which is a module of its own only where it is not the embedding table. */
export function headModules(config: { tieWordEmbeddings: boolean; vocabSize: number; hiddenSize: number }): LinearModule[] {
  if (config.tieWordEmbeddings) return [];
  return [{ path: 'lm_head', outFeatures: config.vocabSize, inFeatures: config.hiddenSize, bias: false, part: 'lm_head', inputGroup: 'lm_head', layer: null, quantizable: false }];
}

/** Embedding table and norms; `inLayer` names what a layer has besides its two norms. */
export function decoderTensors(config: ModelConfig, inLayer: (layer: number) => readonly ExpectedTensor[] = () => []): ExpectedTensor[] {
  const { hiddenSize } = config;
  const tensors: ExpectedTensor[] = [{ name: `${TEXT}.embed_tokens.weight`, shape: [config.vocabSize, hiddenSize] }];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const path = layerPath(layer);
    tensors.push({ name: `${path}.input_layernorm.weight`, shape: [hiddenSize] }, { name: `${path}.post_attention_layernorm.weight`, shape: [hiddenSize] }, ...inLayer(layer));
  }
  return [...tensors, { name: `${TEXT}.norm.weight`, shape: [hiddenSize] }];
}

/** What the planner needs of a layer with attention over all earlier rows. */
export function attentionShape(config: DecoderConfig & ModelConfig): LayerShape {
  return {
    hidden: config.hiddenSize,
    inner: config.intermediateSize,
    innerTensors: 3,
    queries: config.numAttentionHeads * config.headDim,
    keys: config.numKeyValueHeads * config.headDim,
    extra: 0,
    passing: 0,
    attends: true,
    state: 0,
  };
}
