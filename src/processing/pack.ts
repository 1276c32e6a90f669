/** Encoded samples -> one batch without padding between them. */
import { invariant } from '../protocol/errors.ts';
import { ROW_BUCKET } from '../protocol/limits.ts';
import { patchifyInto, patchLength, type PatchSettings } from './patchify.ts';
import { IGNORE_INDEX, type EncodedSample, type PackedBatch } from './types.ts';

export interface PackSettings {
  padId: number;
  imageTokenId: number;
  patches: PatchSettings;
  /** The row count is rounded up to a multiple of this, so that GPU buffers of few sizes are needed. */
  bucket?: number;
}

/**
 * Lays samples end to end. Image files are read, resized and cut into patches here, image by image.
 * Padding rows hold `padId`, position 0 and a segment of their own.
 * @throws LorikeetError "image" when an image cannot be read
 */
export async function packSamples(samples: readonly EncodedSample[], { padId, imageTokenId, patches, bucket = ROW_BUCKET }: PackSettings): Promise<PackedBatch> {
  const tokenCount = samples.reduce((sum, sample) => sum + sample.inputIds.length, 0);
  const rowCount = Math.ceil(tokenCount / bucket) * bucket;
  const inputIds = new Int32Array(rowCount).fill(padId);
  const positionIds = new Int32Array(3 * rowCount);
  const segmentStart = Int32Array.from({ length: rowCount }, (_, row) => row);
  const segmentEnd = Int32Array.from({ length: rowCount }, (_, row) => row + 1);
  const imageRows: number[] = [];
  const targetRows: number[] = [];
  const targetIds: number[] = [];
  const targetSample: number[] = [];

  let start = 0;
  samples.forEach((sample, index) => {
    const length = sample.inputIds.length;
    const end = start + length;
    inputIds.set(sample.inputIds, start);
    for (let axis = 0; axis < 3; axis++) {
      positionIds.set(sample.positionIds.subarray(axis * length, (axis + 1) * length), axis * rowCount + start);
    }
    segmentStart.fill(start, start, end);
    segmentEnd.fill(end, start, end);
    for (let t = 0; t < length; t++) {
      if (sample.inputIds[t] === imageTokenId) imageRows.push(start + t);
      if (t + 1 < length && sample.labels[t + 1] !== IGNORE_INDEX) {
        targetRows.push(start + t);
        targetIds.push(sample.labels[t + 1]);
        targetSample.push(index);
      }
    }
    start = end;
  });

  const grids = samples.flatMap((sample) => sample.grids);
  const rowLength = patchLength(patches);
  const patchCount = grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
  invariant(imageRows.length * patches.mergeSize ** 2 === patchCount, 'packSamples: image tokens disagree with the grids');
  const pixelValues = new Float32Array(patchCount * rowLength);
  let offset = 0;
  for (const sample of samples) {
    for (let i = 0; i < sample.grids.length; i++) {
      const [, gridHeight, gridWidth] = sample.grids[i];
      const image = await sample.image(i);
      invariant(image.height === gridHeight * patches.patchSize && image.width === gridWidth * patches.patchSize, 'packSamples: an image came in another size than planned');
      offset += patchifyInto(image, patches, pixelValues, offset);
    }
  }

  return {
    tokenCount,
    rowCount,
    sampleCount: samples.length,
    inputIds,
    positionIds,
    segmentStart,
    segmentEnd,
    imageRows: Int32Array.from(imageRows),
    pixelValues,
    grids,
    targetRows: Int32Array.from(targetRows),
    targetIds: Int32Array.from(targetIds),
    targetSample: Int32Array.from(targetSample),
  };
}
