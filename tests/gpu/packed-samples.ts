/** Samples of the oracle's form as the engine's batch. */
import type { PackedBatch } from '../../src/processing/types.ts';
import type { OracleSample } from '../reference/qwen3-vl-tfjs.ts';

/**
 * The samples end to end, with padding rows up to `rowCount`.
 * @param visionIds tokens that stand for patches
 */
export function packed(samples: readonly OracleSample[], rowCount: number, visionIds: readonly (number | null)[]): PackedBatch {
  const rows = (fill: (row: number) => number) => Int32Array.from({ length: rowCount }, (_, row) => fill(row));
  const batch = { inputIds: rows(() => 0), positionIds: new Int32Array(3 * rowCount), bounds: Int32Array.from({ length: 2 * rowCount }, (_, i) => (i + 1) >> 1) };
  const [visionRows, targetRows, targetIds, targetSample]: number[][] = [[], [], [], []];
  let start = 0;
  samples.forEach(({ inputIds, positionIds, labels }, s) => {
    const end = start + inputIds.length;
    batch.inputIds.set(inputIds, start);
    positionIds.forEach((axis, a) => batch.positionIds.set(axis, a * rowCount + start));
    inputIds.forEach((id, t) => {
      batch.bounds.set([start, end], 2 * (start + t));
      if (visionIds.includes(id)) visionRows.push(start + t);
      const next = labels?.[t + 1] ?? -100;
      if (next === -100) return;
      targetRows.push(start + t);
      targetIds.push(next);
      targetSample.push(s);
    });
    start = end;
  });
  return {
    ...batch,
    tokenCount: start,
    rowCount,
    sampleCount: samples.length,
    visionRows: Int32Array.from(visionRows),
    pixelValues: Float32Array.from(samples.flatMap(({ pixelValues }) => [...pixelValues])),
    grids: samples.flatMap(({ grids }) => [...grids]),
    targetRows: Int32Array.from(targetRows),
    targetIds: Int32Array.from(targetIds),
    targetSample: Int32Array.from(targetSample),
  };
}
