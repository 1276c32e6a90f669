/** Qwen3-VL, dense: vision tower with learned positions and deepstack features, decoder with per-head norms, interleaved rotary positions. */
import type { Architecture, LayerShape, ModelFamily } from '../architecture.ts';
import { attentionShape } from '../decoder-modules.ts';
import { ropePositions } from '../positions.ts';
import { qwen3VisionShapes } from '../qwen3-vision.ts';
import { canonicalName } from '../tensor-names.ts';
import { parseQwen3VLConfig, type Qwen3VLConfig } from './config.ts';
import { linearModules, otherTensors } from './tensors.ts';

export const qwen3VL: ModelFamily = {
  modelType: 'qwen3_vl',
  label: 'dense Qwen3-VL (2B, 4B, 8B, 32B, Instruct or Thinking)',
  open(raw, file): Architecture<Qwen3VLConfig> {
    const config = parseQwen3VLConfig(raw, file);
    return {
      config,
      linearModules: linearModules(config),
      otherTensors: otherTensors(config),
      shapes: { text: new Array<LayerShape>(config.numHiddenLayers).fill(attentionShape(config)), ...qwen3VisionShapes(config) },
      boxUnit: 'thousandths',
      quantizationAdvice: 'nf4',
      clips: 'time-stamped',
      ignored: () => false,
      canonicalName,
      positions: (inputIds, media) => ropePositions(inputIds, media, config, null),
    };
  },
};
