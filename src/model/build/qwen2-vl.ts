/** Qwen2-VL from its checkpoint: vision blocks with LayerNorm and quick-GELU, all attending to the whole picture. */
import type { Qwen2VLConfig } from '../../families/qwen2-vl/config.ts';
import { GeluMlp } from '../parts/gelu-mlp.ts';
import type { ModelParts } from '../vision-language-model.ts';
import type { WeightReader } from '../weight-reader.ts';
import { readAttention, readModel } from './decoder.ts';
import { QWEN2_VISION_EPS, readQwen2Tower } from './qwen2-vision.ts';

export function buildQwen2VL(reader: WeightReader, config: Qwen2VLConfig): Promise<ModelParts> {
  const tower = () =>
    readQwen2Tower(reader, config, {
      norm: (path, size) => reader.layerNorm(path, size, QWEN2_VISION_EPS),
      mlp: async (path) => new GeluMlp('geluQuick', await reader.group([`${path}.fc1`]), await reader.group([`${path}.fc2`])),
      windows: null,
    });
  return readModel(reader, config, tower, {
    norm: (path, size) => reader.rmsNorm(path, size, config.rmsNormEps),
    mixer: (layer) => readAttention(reader, config, layer, null),
  });
}
