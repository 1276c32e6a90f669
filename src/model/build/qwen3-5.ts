/** Qwen3.5 from its checkpoint: gated delta rule in most layers, gated attention in the others; norms multiply by 1 + weight. */
import { layerPath } from '../../families/decoder-modules.ts';
import type { Qwen35Config } from '../../families/qwen3-5/config.ts';
import { DeltaNet } from '../parts/delta-net.ts';
import type { ModelParts } from '../vision-language-model.ts';
import type { WeightReader } from '../weight-reader.ts';
import { readAttention, readModel } from './decoder.ts';
import { readVisionTower } from './qwen3-vision.ts';

export function buildQwen35(reader: WeightReader, config: Qwen35Config): Promise<ModelParts> {
  const norm = (path: string, size: number) => reader.offsetRmsNorm(path, size, config.rmsNormEps);
  return readModel(reader, config, () => readVisionTower(reader, config), {
    norm,
    recurrent: true,
    mixer: (layer) => (config.layerTypes[layer] === 'full_attention' ? readAttention(reader, config, layer, norm, true) : readDeltaNet(reader, config, layer)),
  });
}

async function readDeltaNet(reader: WeightReader, config: Qwen35Config, layer: number): Promise<DeltaNet> {
  const path = `${layerPath(layer)}.linear_attn`;
  const { linearNumKeyHeads: keyHeads, linearNumValueHeads: valueHeads, linearKeyHeadDim: keyDim, linearValueHeadDim: valueDim } = config;
  return new DeltaNet(
    {
      inProj: await reader.group(['in_proj_qkv', 'in_proj_z', 'in_proj_b', 'in_proj_a'].map((name) => `${path}.${name}`)),
      conv: { weight: await reader.vector(`${path}.conv1d.weight`), channels: 2 * keyHeads * keyDim + valueHeads * valueDim, taps: config.linearConvKernelDim },
      gates: { aLog: await reader.vector(`${path}.A_log`), dtBias: await reader.vector(`${path}.dt_bias`), heads: valueHeads },
      norm: { weight: await reader.vector(`${path}.norm.weight`), size: valueDim, eps: config.rmsNormEps },
      outProj: await reader.group([`${path}.out_proj`]),
    },
    { keyHeads, valueHeads, keyDim, valueDim },
  );
}
