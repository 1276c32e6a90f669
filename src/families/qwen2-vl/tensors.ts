/** Names and shapes of every tensor that a Qwen2-VL checkpoint must hold, and which of them are linear layers. */
import type { ExpectedTensor, LinearModule } from '../architecture.ts';
import { decoderTensors, visionModule } from '../decoder-modules.ts';
import { qwen2Modules, qwen2VisionTensors } from '../qwen2-decoder.ts';
import { VISION } from '../tensor-names.ts';
import type { Qwen2VLConfig } from './config.ts';

/** All linear layers in the order of the model; lm_head last and only when it has its own weight. */
export function linearModules(config: Qwen2VLConfig): LinearModule[] {
  const { visionHiddenSize: width, visionIntermediateSize: inner } = config;
  const modules: LinearModule[] = [];
  for (let block = 0; block < config.visionDepth; block++) {
    const path = `${VISION}.blocks.${block}`;
    modules.push(
      visionModule(`${path}.attn.qkv`, 3 * width, width),
      visionModule(`${path}.attn.proj`, width, width),
      visionModule(`${path}.mlp.fc1`, inner, width),
      visionModule(`${path}.mlp.fc2`, width, inner),
    );
  }
  return [...modules, ...qwen2Modules(config)];
}

/** Every other tensor of the checkpoint by its in-memory name. */
export function otherTensors(config: Qwen2VLConfig): ExpectedTensor[] {
  return [...qwen2VisionTensors(config, true), ...decoderTensors(config)];
}
