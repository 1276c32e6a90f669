/** Some samples of a packed batch as a batch of their own. */
import { patchesOf } from '../families/media.ts';
import { invariant } from '../protocol/errors.ts';
import { ROW_BUCKET } from '../protocol/limits.ts';
import type { PackedBatch } from './types.ts';

/** Tokens of each sample of a batch; samples that share a prompt count as one. */
export function sampleLengths({ bounds, tokenCount }: Pick<PackedBatch, 'bounds' | 'tokenCount'>): number[] {
  const lengths: number[] = [];
  for (let row = 0; row < tokenCount; row = bounds[2 * row + 1]) lengths.push(bounds[2 * row + 1] - row);
  return lengths;
}

/**
 * Samples `first` … `first + count − 1`; the batch itself when that is all of them.
 * @param mergeSize patches along each side of a vision token
 */
export function sliceBatch(batch: PackedBatch, first: number, count: number, mergeSize: number): PackedBatch {
  if (first === 0 && count === batch.sampleCount) return batch;
  invariant(!batch.prefixes, 'sliceBatch: samples that share a prompt cannot be cut apart');
  const lengths = sampleLengths(batch);
  const total = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);
  const start = total(lengths.slice(0, first));
  const end = start + total(lengths.slice(first, first + count));
  const tokenCount = end - start;
  const rowCount = Math.ceil(tokenCount / ROW_BUCKET) * ROW_BUCKET;
  const inputIds = new Int32Array(rowCount);
  inputIds.set(batch.inputIds.subarray(start, end));
  const bounds = Int32Array.from({ length: 2 * rowCount }, (_, i) => (i < 2 * tokenCount ? batch.bounds[2 * start + i] - start : (i + 1) >> 1));
  const positionIds = new Int32Array(3 * rowCount);
  for (let axis = 0; axis < 3; axis++) positionIds.set(batch.positionIds.subarray(axis * batch.rowCount + start, axis * batch.rowCount + end), axis * rowCount);

  // Everything that is listed by ascending row is a stretch of its list.
  const [firstToken, lastToken] = stretch(batch.visionRows, start, end);
  const [firstTarget, lastTarget] = stretch(batch.targetRows, start, end);
  const tokensOf = (grid: PackedBatch['grids'][number]) => patchesOf(grid) / mergeSize ** 2;
  const [firstMedium, lastMedium] = [firstToken, lastToken].map((token) => countUpTo(batch.grids.map(tokensOf), token));
  const tokens = total(batch.grids.map(tokensOf));
  const valuesPerToken = tokens === 0 ? 0 : batch.pixelValues.length / tokens;
  return {
    tokenCount,
    rowCount,
    sampleCount: count,
    inputIds,
    positionIds,
    bounds,
    visionRows: batch.visionRows.slice(firstToken, lastToken).map((row) => row - start),
    pixelValues: batch.pixelValues.slice(firstToken * valuesPerToken, lastToken * valuesPerToken),
    grids: batch.grids.slice(firstMedium, lastMedium),
    targetRows: batch.targetRows.slice(firstTarget, lastTarget).map((row) => row - start),
    targetIds: batch.targetIds.slice(firstTarget, lastTarget),
    targetSample: batch.targetSample.slice(firstTarget, lastTarget).map((sample) => sample - first),
  };
}

/** Where an ascending list enters [start, end) and where it leaves it. */
function stretch(rows: Int32Array, start: number, end: number): [number, number] {
  const below = (limit: number) => rows.reduce((count, row) => count + (row < limit ? 1 : 0), 0);
  return [below(start), below(end)];
}

/** How many numbers from the front add up to `sum`. */
function countUpTo(numbers: readonly number[], sum: number): number {
  let count = 0;
  for (let rest = sum; rest > 0; count++) rest -= numbers[count];
  return count;
}
