/** Names and shapes of every tensor that a Qwen3-VL checkpoint must hold, and which of them are linear layers. */
import type { ExpectedTensor, LinearModule } from '../architecture.ts';
import { attentionModules, decoderTensors, headModules, layerPath, mlpModules } from '../decoder-modules.ts';
import { qwen3VisionModules, qwen3VisionTensors } from '../qwen3-vision.ts';
import type { Qwen3VLConfig } from './config.ts';

/** All linear layers in the order of the model; lm_head last and only when it has its own weight. */
export function linearModules(config: Qwen3VLConfig): LinearModule[] {
  const modules = qwen3VisionModules(config);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    modules.push(...attentionModules(layer, config), ...mlpModules(layer, config.hiddenSize, config.intermediateSize));
  }
  return [...modules, ...headModules(config)];
}

/** Every other tensor of the checkpoint by its published name. */
export function otherTensors(config: Qwen3VLConfig): ExpectedTensor[] {
  const { headDim } = config;
  const text = decoderTensors(config, (layer) => [
    { name: `${layerPath(layer)}.self_attn.q_norm.weight`, shape: [headDim] },
    { name: `${layerPath(layer)}.self_attn.k_norm.weight`, shape: [headDim] },
  ]);
  return [...qwen3VisionTensors(config), ...text];
}
