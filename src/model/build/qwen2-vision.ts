/** The vision tower of Qwen2-VL and Qwen2.5-VL: rotary positions only, a merger named ln_q and mlp. */
import type { ModelConfig } from '../../families/architecture.ts';
import { VISION } from '../../families/tensor-names.ts';
import type { VisionConfig } from '../../families/vision-config.ts';
import type { NormWeights } from '../../kernels/norm.ts';
import { GeluMlp } from '../parts/gelu-mlp.ts';
import type { Mlp } from '../parts/mlp.ts';
import { PatchMerger } from '../parts/patch-merger.ts';
import { VisionBlock } from '../parts/vision-block.ts';
import { VisionTower, type VisionWindows } from '../parts/vision-tower.ts';
import type { WeightReader } from '../weight-reader.ts';

export const QWEN2_VISION_EPS = 1e-6;

/** What the two families' towers do their own way. */
export interface TowerForm {
  norm: (path: string, size: number) => Promise<NormWeights>;
  /** Reads the MLP of a block from the path of its module. */
  mlp: (path: string) => Promise<Mlp>;
  windows: VisionWindows | null;
}

export async function readQwen2Tower(reader: WeightReader, config: ModelConfig & VisionConfig, { norm, mlp, windows }: TowerForm): Promise<VisionTower> {
  const width = config.visionHiddenSize;
  const blocks: VisionBlock[] = [];
  for (let i = 0; i < config.visionDepth; i++) {
    const path = `${VISION}.blocks.${i}`;
    const weights = {
      norm1: await norm(`${path}.norm1`, width),
      qkv: await reader.group([`${path}.attn.qkv`]),
      proj: await reader.group([`${path}.attn.proj`]),
      norm2: await norm(`${path}.norm2`, width),
      mlp: await mlp(`${path}.mlp`),
    };
    blocks.push(new VisionBlock(weights, config.visionNumHeads, config.visionHeadDim));
  }
  const merger = `${VISION}.merger`;
  const patchValues = config.inChannels * config.temporalPatchSize * config.patchSize ** 2;
  return new VisionTower(
    { headDim: config.visionHeadDim, spatialMergeSize: config.spatialMergeSize, deepstackIndexes: [], windows },
    {
      patchEmbed: await reader.matrix(`${VISION}.patch_embed.proj.weight`, width, patchValues),
      positions: null,
      blocks,
      merger: new PatchMerger(
        await norm(`${merger}.ln_q`, width),
        new GeluMlp('geluExact', await reader.group([`${merger}.mlp.0`]), await reader.group([`${merger}.mlp.2`])),
        width * config.spatialMergeSize ** 2,
      ),
      deepstackMergers: [],
    },
  );
}
