/** Some samples of a packed batch as a batch of their own. */
import { ROW_BUCKET } from '../protocol/limits.ts';
import type { PackedBatch } from './types.ts';

/** Tokens of each sample of a batch. */
export function sampleLengths(batch: PackedBatch): number[] {
  const lengths: number[] = [];
  for (let row = 0; row < batch.tokenCount; row = batch.segmentEnd[row]) lengths.push(batch.segmentEnd[row] - row);
  return lengths;
}

/**
 * Samples `first` … `first + count − 1`; the batch itself when that is all of them.
 * @param mergeSize patches along each side of an image token
 */
export function sliceBatch(batch: PackedBatch, first: number, count: number, mergeSize: number): PackedBatch {
  if (first === 0 && count === batch.sampleCount) return batch;
  const lengths = sampleLengths(batch);
  const start = lengths.slice(0, first).reduce((sum, length) => sum + length, 0);
  const end = start + lengths.slice(first, first + count).reduce((sum, length) => sum + length, 0);
  const tokenCount = end - start;
  const rowCount = Math.ceil(tokenCount / ROW_BUCKET) * ROW_BUCKET;
  const rows = (source: Int32Array, padding: (row: number) => number, shift = 0) =>
    Int32Array.from({ length: rowCount }, (_, row) => (row < tokenCount ? source[start + row] - shift : padding(row)));
  const positionIds = new Int32Array(3 * rowCount);
  for (let axis = 0; axis < 3; axis++) positionIds.set(batch.positionIds.subarray(axis * batch.rowCount + start, axis * batch.rowCount + end), axis * rowCount);

  const inside = (row: number) => row >= start && row < end;
  const targets = Array.from(batch.targetRows, (_, i) => i).filter((i) => inside(batch.targetRows[i]));
  const patches = batch.grids.map(([t, h, w]) => t * h * w);
  const patchLength = batch.pixelValues.length / Math.max(1, patches.reduce((sum, n) => sum + n, 0));
  // Images come in the order of their tokens.
  let [imageToken, patch, firstPatch, lastPatch] = [0, 0, 0, 0];
  const grids = batch.grids.filter((_, image) => {
    const mine = inside(batch.imageRows[imageToken]);
    imageToken += patches[image] / mergeSize ** 2;
    patch += patches[image];
    if (mine) lastPatch = patch;
    else if (lastPatch === 0) firstPatch = patch;
    return mine;
  });
  return {
    tokenCount,
    rowCount,
    sampleCount: count,
    inputIds: rows(batch.inputIds, () => 0),
    positionIds,
    segmentStart: rows(batch.segmentStart, (row) => row, start),
    segmentEnd: rows(batch.segmentEnd, (row) => row + 1, start),
    imageRows: batch.imageRows.filter(inside).map((row) => row - start),
    pixelValues: batch.pixelValues.slice(firstPatch * patchLength, Math.max(firstPatch, lastPatch) * patchLength),
    grids,
    targetRows: Int32Array.from(targets, (i) => batch.targetRows[i] - start),
    targetIds: Int32Array.from(targets, (i) => batch.targetIds[i]),
    targetSample: Int32Array.from(targets, (i) => batch.targetSample[i] - first),
  };
}
