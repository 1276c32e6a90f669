/** Names and shapes of every tensor that a Qwen3.5 checkpoint must hold, and which of them are linear layers. */
import type { ExpectedTensor, LinearModule } from '../architecture.ts';
import { attentionModules, decoderModules, decoderTensors, headModules, layerPath, mlpModules } from '../decoder-modules.ts';
import { qwen3VisionModules, qwen3VisionTensors } from '../qwen3-vision.ts';
import type { Qwen35Config } from './config.ts';

/** Widths of all query or key heads, and of all value heads, of a linear layer. */
export function linearWidths(config: Qwen35Config): { keys: number; values: number } {
  return { keys: config.linearNumKeyHeads * config.linearKeyHeadDim, values: config.linearNumValueHeads * config.linearValueHeadDim };
}

/** All linear layers in the order of the model; lm_head last and only when it has its own weight. */
export function linearModules(config: Qwen35Config): LinearModule[] {
  const { hiddenSize, intermediateSize, layerTypes } = config;
  const modules = qwen3VisionModules(config);
  layerTypes.forEach((type, layer) => {
    modules.push(...(type === 'full_attention' ? gatedAttentionModules(layer, config) : deltaNetModules(layer, config)), ...mlpModules(layer, hiddenSize, intermediateSize));
  });
  return [...modules, ...headModules(config)];
}

/** q_proj gives each head's query and then its gate. */
function gatedAttentionModules(layer: number, config: Qwen35Config): LinearModule[] {
  return attentionModules(layer, config, { queryOut: 2 * config.numAttentionHeads * config.headDim });
}

/** in_proj_qkv gives all queries, all keys, all values; b and a one number for each value head. */
function deltaNetModules(layer: number, config: Qwen35Config): LinearModule[] {
  const { hiddenSize, linearNumValueHeads: heads } = config;
  const { keys, values } = linearWidths(config);
  return [
    ...decoderModules(layer, 'linear_attn', 'in', [
      ['in_proj_qkv', 2 * keys + values, hiddenSize],
      ['in_proj_z', values, hiddenSize],
      ['in_proj_b', heads, hiddenSize],
      ['in_proj_a', heads, hiddenSize],
    ]),
    ...decoderModules(layer, 'linear_attn', 'out', [['out_proj', hiddenSize, values]]),
  ];
}

/** Every other tensor of the checkpoint by its published name. */
export function otherTensors(config: Qwen35Config): ExpectedTensor[] {
  const { headDim, layerTypes, linearNumValueHeads: heads } = config;
  const { keys, values } = linearWidths(config);
  const text = decoderTensors(config, (layer) => {
    const path = layerPath(layer);
    if (layerTypes[layer] === 'full_attention') {
      return ['q_norm', 'k_norm'].map((name) => ({ name: `${path}.self_attn.${name}.weight`, shape: [headDim] }));
    }
    return [
      { name: `${path}.linear_attn.conv1d.weight`, shape: [2 * keys + values, 1, config.linearConvKernelDim] },
      { name: `${path}.linear_attn.dt_bias`, shape: [heads] },
      { name: `${path}.linear_attn.A_log`, shape: [heads] },
      { name: `${path}.linear_attn.norm.weight`, shape: [config.linearValueHeadDim] },
    ];
  });
  return [...qwen3VisionTensors(config), ...text];
}
