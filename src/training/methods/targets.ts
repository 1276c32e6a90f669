/** Values of a packed batch's targets, row by row. */
import type { PackedBatch } from '../../processing/types.ts';

/** A value per target as one list per row; targets come row by row. */
export function byRow(batch: PackedBatch, values: Float32Array): Float32Array[] {
  const rows: Float32Array[] = [];
  for (let first = 0, target = 1; target <= batch.targetSample.length; target++) {
    if (target < batch.targetSample.length && batch.targetSample[target] === batch.targetSample[first]) continue;
    rows.push(values.slice(first, target));
    first = target;
  }
  return rows;
}
