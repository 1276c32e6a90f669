/** Encoded samples -> one batch without padding between them. */
import { patchesOfAll } from '../families/media.ts';
import { invariant } from '../protocol/errors.ts';
import { ROW_BUCKET } from '../protocol/limits.ts';
import { patchifyInto, patchLength, type PatchSettings } from './patchify.ts';
import { IGNORE_INDEX, type EncodedSample, type PackedBatch } from './types.ts';

export interface PackSettings {
  padId: number;
  patches: PatchSettings;
  /** The row count is rounded up to a multiple of this, so that GPU buffers of few sizes are needed. */
  bucket?: number;
}

/**
 * Lays samples end to end. Files of pictures and clips are read, resized and cut into patches here, one at a time.
 * Padding rows hold `padId`, position 0 and a segment of their own.
 * @throws LorikeetError "image", "video" when a file cannot be read
 */
export async function packSamples(samples: readonly EncodedSample[], { padId, patches, bucket = ROW_BUCKET }: PackSettings): Promise<PackedBatch> {
  const tokenCount = samples.reduce((sum, sample) => sum + sample.inputIds.length, 0);
  const rowCount = Math.ceil(tokenCount / bucket) * bucket;
  const inputIds = new Int32Array(rowCount).fill(padId);
  const positionIds = new Int32Array(3 * rowCount);
  const bounds = Int32Array.from({ length: 2 * rowCount }, (_, i) => (i + 1) >> 1);
  const visionRows: number[] = [];
  const targetRows: number[] = [];
  const targetIds: number[] = [];
  const targetSample: number[] = [];

  let start = 0;
  samples.forEach((sample, index) => {
    const length = sample.inputIds.length;
    inputIds.set(sample.inputIds, start);
    for (let axis = 0; axis < 3; axis++) {
      positionIds.set(sample.positionIds.subarray(axis * length, (axis + 1) * length), axis * rowCount + start);
    }
    for (const row of sample.visionRows) visionRows.push(start + row);
    for (let t = 0; t < length; t++) {
      bounds[2 * (start + t)] = start;
      bounds[2 * (start + t) + 1] = start + length;
      if (t + 1 < length && sample.labels[t + 1] !== IGNORE_INDEX) {
        targetRows.push(start + t);
        targetIds.push(sample.labels[t + 1]);
        targetSample.push(index);
      }
    }
    start += length;
  });

  const patchCount = samples.reduce((sum, { media }) => sum + patchesOfAll(media), 0);
  invariant(visionRows.length * patches.mergeSize ** 2 === patchCount, 'packSamples: vision tokens disagree with the grids');
  const pixelValues = new Float32Array(patchCount * patchLength(patches));
  let offset = 0;
  for (const { media, pixels } of samples) {
    for (const [i, { grid }] of media.entries()) offset += patchifyInto(await pixels(i), grid, patches, pixelValues, offset);
  }

  return {
    tokenCount,
    rowCount,
    sampleCount: samples.length,
    inputIds,
    positionIds,
    bounds,
    visionRows: Int32Array.from(visionRows),
    pixelValues,
    grids: samples.flatMap(({ media }) => media.map(({ grid }) => grid)),
    targetRows: Int32Array.from(targetRows),
    targetIds: Int32Array.from(targetIds),
    targetSample: Int32Array.from(targetSample),
  };
}
