/** Qwen2.5-VL from its checkpoint: vision blocks with RMSNorm and a gated MLP, most of them attending within windows. */
import type { Qwen25VLConfig } from '../../families/qwen2-5-vl/config.ts';
import { windowOrder } from '../../families/qwen2-5-vl/windows.ts';
import { GatedMlp } from '../parts/gated-mlp.ts';
import type { VisionWindows } from '../parts/vision-tower.ts';
import type { ModelParts } from '../vision-language-model.ts';
import type { WeightReader } from '../weight-reader.ts';
import { readAttention, readModel } from './decoder.ts';
import { QWEN2_VISION_EPS, readQwen2Tower } from './qwen2-vision.ts';

export function buildQwen25VL(reader: WeightReader, config: Qwen25VLConfig): Promise<ModelParts> {
  const tower = () =>
    readQwen2Tower(reader, config, {
      norm: (path, size) => reader.rmsNorm(path, size, QWEN2_VISION_EPS),
      mlp: async (path) => new GatedMlp(await reader.group([`${path}.gate_proj`, `${path}.up_proj`]), await reader.group([`${path}.down_proj`])),
      windows: windowsOf(config),
    });
  return readModel(reader, config, tower, {
    norm: (path, size) => reader.rmsNorm(path, size, config.rmsNormEps),
    mixer: (layer) => readAttention(reader, config, layer, null),
  });
}

function windowsOf(config: Qwen25VLConfig): VisionWindows {
  return {
    fullBlocks: new Set(config.fullAttentionBlocks),
    order(grids) {
      const { order, windowBounds } = windowOrder(grids, config);
      const bounds = new Int32Array(2 * windowBounds[windowBounds.length - 1]);
      for (let window = 0; window + 1 < windowBounds.length; window++) {
        for (let row = windowBounds[window]; row < windowBounds[window + 1]; row++) bounds.set([windowBounds[window], windowBounds[window + 1]], 2 * row);
      }
      return { order, bounds };
    },
  };
}
