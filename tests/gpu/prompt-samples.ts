/** Prompts of any form for the tiny model, as the processor encodes them, and batches of their answers. */
import { stillOf } from '../../src/families/media.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import { withCompletion } from '../../src/processing/completion.ts';
import { packSamples } from '../../src/processing/pack.ts';
import { IGNORE_INDEX, type EncodedSample, type GridTHW, type PackedBatch } from '../../src/processing/types.ts';
import { noise } from './open.ts';

/** Ids that stand for nothing but text. */
const textIds = (count: number, seed: number): number[] => [...noise(count, seed)].map((value) => Math.floor(Math.abs(value) * 540));

/** @param parts tokens of text, or patches of a picture of noise, one after the other */
export function syntheticPrompt({ config, architecture }: VisionLanguageModel, seed: number, parts: readonly (number | GridTHW)[]): EncodedSample {
  const grids = parts.filter((part) => typeof part !== 'number');
  const ids = parts.flatMap((part, i) => (typeof part === 'number' ? textIds(part, seed + i) : new Array<number>((part[1] * part[2]) / config.spatialMergeSize ** 2).fill(config.imageTokenId)));
  const media = grids.map(stillOf);
  return {
    id: `prompt ${seed}`,
    inputIds: Int32Array.from(ids),
    labels: new Int32Array(ids.length).fill(IGNORE_INDEX),
    labelTokens: 0,
    ...architecture.positions(ids, media),
    media,
    visionRows: Int32Array.from(ids.flatMap((id, row) => (id === config.imageTokenId ? [row] : []))),
    pixels: (i) => {
      const [height, width] = [grids[i][1] * config.patchSize, grids[i][2] * config.patchSize];
      return Promise.resolve([{ pixels: Uint8Array.from(noise(height * width * 3, seed + 100 * i), (value) => 127 + 128 * value), height, width }]);
    },
  };
}

/** Answers of the given lengths to each prompt, prompt by prompt; `prompts` numbers them. */
export function answered(model: VisionLanguageModel, prompts: readonly EncodedSample[], lengths: readonly (readonly number[])[]): { samples: EncodedSample[]; prompts: number[] } {
  const { imageTokenId } = model.config;
  return {
    samples: prompts.flatMap((prompt, p) => lengths[p].map((length, i) => withCompletion(prompt, textIds(length, 31 * p + i + 1), { imageTokenId }))),
    prompts: lengths.flatMap((answers, p) => answers.map(() => p)),
  };
}

export function packFor({ config }: VisionLanguageModel, samples: readonly EncodedSample[], prompts?: readonly number[]): Promise<PackedBatch> {
  const { patchSize, temporalPatchSize, spatialMergeSize: mergeSize } = config;
  return packSamples(samples, { padId: 0, patches: { patchSize, temporalPatchSize, mergeSize, imageMean: [0.5, 0.5, 0.5], imageStd: [0.5, 0.5, 0.5] }, prompts });
}
