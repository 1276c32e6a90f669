/** Linear layers that the decoders of all families are made of. */
import type { LinearModule } from './architecture.ts';
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
