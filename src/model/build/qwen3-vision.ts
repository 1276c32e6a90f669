/** The vision tower of Qwen3-VL and Qwen3.5: learned positions, GELU by tanh, mergers named linear_fc1 and linear_fc2. */
import type { Qwen3VisionModel } from '../../families/qwen3-vision.ts';
import { VISION } from '../../families/tensor-names.ts';
import { GeluMlp } from '../parts/gelu-mlp.ts';
import { PatchMerger } from '../parts/patch-merger.ts';
import { VisionBlock } from '../parts/vision-block.ts';
import { VisionTower } from '../parts/vision-tower.ts';
import type { WeightReader } from '../weight-reader.ts';

const EPS = 1e-6;

export async function readVisionTower(reader: WeightReader, config: Qwen3VisionModel): Promise<VisionTower> {
  const width = config.visionHiddenSize;
  const joined = width * config.spatialMergeSize ** 2;
  const merger = async (at: string, normSize: number) => {
    const norm = await reader.layerNorm(`${at}.norm`, normSize, EPS);
    return new PatchMerger(norm, new GeluMlp('geluExact', await reader.group([`${at}.linear_fc1`]), await reader.group([`${at}.linear_fc2`])), joined);
  };
  const blocks: VisionBlock[] = [];
  for (let i = 0; i < config.visionDepth; i++) {
    const block = `${VISION}.blocks.${i}`;
    blocks.push(
      new VisionBlock(
        {
          norm1: await reader.layerNorm(`${block}.norm1`, width, EPS),
          qkv: await reader.group([`${block}.attn.qkv`]),
          proj: await reader.group([`${block}.attn.proj`]),
          norm2: await reader.layerNorm(`${block}.norm2`, width, EPS),
          mlp: new GeluMlp('geluTanh', await reader.group([`${block}.mlp.linear_fc1`]), await reader.group([`${block}.mlp.linear_fc2`])),
        },
        config.visionNumHeads,
        config.visionHeadDim,
      ),
    );
  }
  const deepstackMergers: PatchMerger[] = [];
  for (let i = 0; i < config.deepstackVisualIndexes.length; i++) deepstackMergers.push(await merger(`${VISION}.deepstack_merger_list.${i}`, joined));
  const patchValues = config.inChannels * config.temporalPatchSize * config.patchSize ** 2;
  return new VisionTower(
    { headDim: config.visionHeadDim, spatialMergeSize: config.spatialMergeSize, deepstackIndexes: config.deepstackVisualIndexes, windows: null },
    {
      patchEmbed: await reader.matrix(`${VISION}.patch_embed.proj.weight`, width, patchValues),
      patchBias: await reader.vector(`${VISION}.patch_embed.proj.bias`),
      positions: await reader.matrix(`${VISION}.pos_embed.weight`, config.numPositionEmbeddings, width),
      blocks,
      merger: await merger(`${VISION}.merger`, width),
      deepstackMergers,
    },
  );
}
