import { describe, expect, it } from 'vitest';
import { sampleLengths, sliceBatch } from '../../../src/processing/slice-batch.ts';
import type { GridTHW, PackedBatch } from '../../../src/processing/types.ts';

const IMAGE = 9;
/** Four samples of 3, 66, 2 and 5 tokens: without image, with two, without, with one. */
function batch(): PackedBatch {
  const images = [[], [[1, 2, 2], [1, 2, 4]], [], [[1, 4, 2]]] as GridTHW[][];
  const lengths = [3, 66, 2, 5];
  const rowCount = 128;
  const [inputIds, visionRows, targetRows, targetIds, targetSample]: number[][] = [[], [], [], [], []];
  const bounds = Int32Array.from({ length: 2 * rowCount }, (_, i) => (i + 1) >> 1);
  const positionIds = new Int32Array(3 * rowCount);
  lengths.forEach((length, s) => {
    const start = inputIds.length;
    const tokens = images[s].reduce((sum, [, h, w]) => sum + (h * w) / 4, 0);
    for (let t = 0; t < length; t++) {
      bounds.set([start, start + length], 2 * (start + t));
      for (let axis = 0; axis < 3; axis++) positionIds[axis * rowCount + start + t] = 100 * axis + t;
      if (t < tokens) visionRows.push(start + t);
      inputIds.push(t < tokens ? IMAGE : 10 + s);
    }
    targetRows.push(start + length - 1);
    targetIds.push(50 + s);
    targetSample.push(s);
  });
  const grids = images.flat();
  return {
    tokenCount: inputIds.length,
    rowCount,
    sampleCount: 4,
    inputIds: Int32Array.from({ length: rowCount }, (_, row) => inputIds[row] ?? 0),
    positionIds,
    bounds,
    visionRows: Int32Array.from(visionRows),
    // Two values per patch, equal to the patch's number.
    pixelValues: Float32Array.from({ length: 2 * (4 + 8 + 8) }, (_, i) => i >> 1),
    grids,
    targetRows: Int32Array.from(targetRows),
    targetIds: Int32Array.from(targetIds),
    targetSample: Int32Array.from(targetSample),
  };
}

describe('part of a packed batch', () => {
  it('is the batch itself when it is all of it', () => {
    const whole = batch();
    expect(sampleLengths(whole)).toEqual([3, 66, 2, 5]);
    expect(sliceBatch(whole, 0, 4, 2)).toBe(whole);
  });

  it('holds its samples, rows counted anew, with their images alone', () => {
    const part = sliceBatch(batch(), 1, 2, 2);
    expect(sampleLengths(part)).toEqual([66, 2]);
    expect([part.tokenCount, part.rowCount, part.sampleCount]).toEqual([68, 128, 2]);
    expect([...part.inputIds.subarray(0, 5), part.inputIds[66]]).toEqual([IMAGE, IMAGE, IMAGE, 11, 11, 12]);
    expect([...part.positionIds.subarray(128, 131)]).toEqual([100, 101, 102]);
    expect([...part.bounds.subarray(130, 140)]).toEqual([0, 66, 66, 68, 66, 68, 68, 69, 69, 70]);
    expect([...part.visionRows]).toEqual([0, 1, 2]);
    expect(part.grids).toEqual([[1, 2, 2], [1, 2, 4]]);
    expect([...part.pixelValues]).toEqual(Array.from({ length: 24 }, (_, i) => i >> 1));
    expect([[...part.targetRows], [...part.targetIds], [...part.targetSample]]).toEqual([[65, 67], [51, 52], [0, 1]]);
  });

  it('skips the images before it', () => {
    const part = sliceBatch(batch(), 3, 1, 2);
    expect(part.rowCount).toBe(64);
    expect([...part.visionRows]).toEqual([0, 1]);
    expect([part.pixelValues[0], part.pixelValues.length]).toEqual([12, 16]);
    const none = sliceBatch(batch(), 2, 1, 2);
    expect([none.grids.length, none.pixelValues.length, none.visionRows.length]).toEqual([0, 0, 0]);
  });
});
