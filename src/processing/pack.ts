/** Encoded samples -> one batch without padding between them. */
import { patchesOfAll } from '../families/media.ts';
import { invariant } from '../protocol/errors.ts';
import { ROW_BUCKET } from '../protocol/limits.ts';
import { patchifyInto, patchLength, type PatchSettings } from './patchify.ts';
import { groupByPrompt } from './shared-prompts.ts';
import { IGNORE_INDEX, type EncodedSample, type PackedBatch } from './types.ts';

export interface PackSettings {
  padId: number;
  patches: PatchSettings;
  /** The row count is rounded up to a multiple of this, so that GPU buffers of few sizes are needed. */
  bucket?: number;
  /** Number of the prompt that each sample begins with; samples of one number follow one copy of it. Left out: each has its own. */
  prompts?: readonly number[];
}

/**
 * Lays samples end to end, those that share a prompt after it. Files of pictures and clips are read, resized and cut into
 * patches here, one at a time. Padding rows hold `padId`, position 0 and a segment of their own.
 * @throws LorikeetError "image", "video" when a file cannot be read
 */
export async function packSamples(samples: readonly EncodedSample[], { padId, patches, bucket = ROW_BUCKET, prompts }: PackSettings): Promise<PackedBatch> {
  const groups = groupByPrompt(samples, prompts);
  const saved = groups.reduce((sum, { members, shared }) => sum + (members.length - 1) * shared, 0);
  const tokenCount = samples.reduce((sum, sample) => sum + sample.inputIds.length, 0) - saved;
  const rowCount = Math.ceil(tokenCount / bucket) * bucket;
  const inputIds = new Int32Array(rowCount).fill(padId);
  const positionIds = new Int32Array(3 * rowCount);
  const bounds = Int32Array.from({ length: 2 * rowCount }, (_, i) => (i + 1) >> 1);
  const prefixes = saved > 0 ? Int32Array.from({ length: 2 * rowCount }, (_, i) => i >> 1) : undefined;
  const visionRows: number[] = [];
  /** Samples whose pictures and clips are read, in the order of their rows. */
  const pictured: EncodedSample[] = [];
  const places: { prompt: number; shared: number; own: number }[] = [];

  /** Tokens `from` to `to` of a sample in the rows from `start` on, as a segment that ends before row `end`. */
  const lay = (sample: EncodedSample, from: number, to: number, start: number, end: number, prefix: readonly [number, number]) => {
    const length = sample.inputIds.length;
    inputIds.set(sample.inputIds.subarray(from, to), start);
    for (let axis = 0; axis < 3; axis++) {
      positionIds.set(sample.positionIds.subarray(axis * length + from, axis * length + to), axis * rowCount + start);
    }
    for (let row = start; row < start + to - from; row++) {
      bounds.set([start, end], 2 * row);
      prefixes?.set(prefix, 2 * row);
    }
  };
  let next = 0;
  for (const { members, shared } of groups) {
    const prompt = next;
    const first = samples[members[0]];
    const end = members.reduce((row, i) => row + samples[i].inputIds.length - shared, prompt + shared);
    lay(first, 0, shared, prompt, end, [prompt, prompt]);
    next += shared;
    for (const i of members) {
      const { length } = samples[i].inputIds;
      const own = next;
      next += length - shared;
      lay(samples[i], shared, length, own, next, shared > 0 ? [prompt, prompt + shared] : [own, own]);
      places[i] = { prompt, shared, own };
    }
    for (const row of first.visionRows) visionRows.push(prompt + row);
    pictured.push(first);
  }

  const targetRows: number[] = [];
  const targetIds: number[] = [];
  const targetSample: number[] = [];
  samples.forEach(({ labels }, index) => {
    const { prompt, shared, own } = places[index];
    for (let t = 0; t + 1 < labels.length; t++) {
      if (labels[t + 1] === IGNORE_INDEX) continue;
      targetRows.push(t < shared ? prompt + t : own + t - shared);
      targetIds.push(labels[t + 1]);
      targetSample.push(index);
    }
  });

  const patchCount = pictured.reduce((sum, { media }) => sum + patchesOfAll(media), 0);
  invariant(visionRows.length * patches.mergeSize ** 2 === patchCount, 'packSamples: vision tokens disagree with the grids');
  const pixelValues = new Float32Array(patchCount * patchLength(patches));
  let offset = 0;
  for (const { media, pixels } of pictured) {
    for (const [i, { grid }] of media.entries()) offset += patchifyInto(await pixels(i), grid, patches, pixelValues, offset);
  }

  return {
    tokenCount,
    rowCount,
    sampleCount: samples.length,
    inputIds,
    positionIds,
    bounds,
    ...(prefixes && { prefixes }),
    visionRows: Int32Array.from(visionRows),
    pixelValues,
    grids: pictured.flatMap(({ media }) => media.map(({ grid }) => grid)),
    targetRows: Int32Array.from(targetRows),
    targetIds: Int32Array.from(targetIds),
    targetSample: Int32Array.from(targetSample),
  };
}
