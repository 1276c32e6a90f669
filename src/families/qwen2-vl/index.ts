/** Qwen2-VL: vision tower with full attention and rotary positions, decoder with biased projections, contiguous rotary sections. */
import type { Architecture, LayerShape, ModelFamily } from '../architecture.ts';
import { attentionShape } from '../decoder-modules.ts';
import { ropePositions } from '../positions.ts';
import { canonicalName } from '../tensor-names.ts';
import { parseQwen2VLConfig, type Qwen2VLConfig } from './config.ts';
import { linearModules, otherTensors } from './tensors.ts';

export const qwen2VL: ModelFamily = {
  modelType: 'qwen2_vl',
  label: 'Qwen2-VL (2B, 7B)',
  open(raw, file): Architecture<Qwen2VLConfig> {
    const config = parseQwen2VLConfig(raw, file);
    const { visionHiddenSize: hidden, visionIntermediateSize: inner } = config;
    return {
      config,
      linearModules: linearModules(config),
      otherTensors: otherTensors(config),
      shapes: {
        text: new Array<LayerShape>(config.numHiddenLayers).fill(attentionShape(config)),
        vision: new Array<LayerShape>(config.visionDepth).fill({ hidden, inner, innerTensors: 2, queries: hidden, keys: hidden, extra: 0, passing: 0, attends: true, state: 0 }),
        visionHidden: hidden,
        mergers: 1,
      },
      boxUnit: 'thousandths',
      quantizationAdvice: 'nf4',
      clips: 'one-run',
      ignored: () => false,
      canonicalName,
      positions: (inputIds, media) => ropePositions(inputIds, media, config, () => 1),
    };
  },
};
