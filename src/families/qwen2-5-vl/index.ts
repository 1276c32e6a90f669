/** Qwen2.5-VL: vision tower with windows and rotary positions, decoder with biased projections, contiguous rotary sections, boxes in pixels. */
import type { Architecture, LayerShape, ModelFamily } from '../architecture.ts';
import { attentionShape } from '../decoder-modules.ts';
import { ropePositions } from '../positions.ts';
import { canonicalName } from '../tensor-names.ts';
import { parseQwen25VLConfig, type Qwen25VLConfig } from './config.ts';
import { linearModules, otherTensors } from './tensors.ts';

export const qwen25VL: ModelFamily = {
  modelType: 'qwen2_5_vl',
  label: 'Qwen2.5-VL (3B, 7B, 32B, 72B)',
  open(raw, file): Architecture<Qwen25VLConfig> {
    const config = parseQwen25VLConfig(raw, file);
    const { visionHiddenSize: hidden, visionIntermediateSize: inner, fullAttentionBlocks } = config;
    const block = { hidden, inner, innerTensors: 3, queries: hidden, keys: hidden, extra: 0, passing: 0, state: 0 };
    return {
      config,
      linearModules: linearModules(config),
      otherTensors: otherTensors(config),
      shapes: {
        text: new Array<LayerShape>(config.numHiddenLayers).fill(attentionShape(config)),
        vision: Array.from({ length: config.visionDepth }, (_, i): LayerShape => ({ ...block, attends: fullAttentionBlocks.includes(i) })),
        visionHidden: hidden,
        mergers: 1,
      },
      boxUnit: 'pixels',
      quantizationAdvice: 'nf4',
      clips: 'one-run',
      ignored: () => false,
      canonicalName,
      // Whole seconds first, as transformers 5 does.
      positions: (inputIds, media) => ropePositions(inputIds, media, config, (seconds) => Math.trunc(seconds) * config.tokensPerSecond),
    };
  },
};
