import { describe, expect, it } from 'vitest';
import { packSamples, type PackSettings } from '../../../src/processing/pack.ts';
import { stillOf } from '../../../src/families/media.ts';
import { ropePositions } from '../../../src/families/positions.ts';
import { countLabels, type EncodedSample, type GridTHW, IGNORE_INDEX } from '../../../src/processing/types.ts';

const IMAGE = 9;
const settings: PackSettings = {
  padId: 7,
  patches: { patchSize: 2, temporalPatchSize: 2, mergeSize: 2, imageMean: [0.5, 0.5, 0.5], imageStd: [0.5, 0.5, 0.5] },
  bucket: 8,
};

function sample(ids: number[], labels: number[], grids: GridTHW[] = [], level = 0): EncodedSample {
  return {
    id: 'x',
    inputIds: Int32Array.from(ids),
    labels: Int32Array.from(labels),
    ...ropePositions(ids, grids.map(stillOf), { imageTokenId: IMAGE, videoTokenId: null, spatialMergeSize: 2 }, null),
    labelTokens: countLabels(Int32Array.from(labels)),
    media: grids.map(stillOf),
    visionRows: Int32Array.from(ids.flatMap((id, row) => (id === IMAGE ? [row] : []))),
    pixels: async (i) => [{ pixels: new Uint8Array(grids[i][1] * grids[i][2] * 4 * 3).fill(level), height: grids[i][1] * 2, width: grids[i][2] * 2 }],
  };
}

const X = IGNORE_INDEX;

describe('packSamples', () => {
  it('lays samples end to end, pads the tail and shifts labels inside samples only', async () => {
    const batch = await packSamples(
      [sample([1, IMAGE, IMAGE, 2, 3], [X, X, X, 2, 3], [[1, 2, 4]], 255), sample([4, 5, 6], [4, X, 6]), sample([IMAGE, 8], [X, 8], [[1, 2, 2]], 0)],
      settings,
    );
    expect(batch).toMatchObject({ tokenCount: 10, rowCount: 16, sampleCount: 3 });
    expect([...batch.inputIds]).toEqual([1, 9, 9, 2, 3, 4, 5, 6, 9, 8, 7, 7, 7, 7, 7, 7]);
    expect([...batch.bounds.filter((_, i) => i % 2 === 0)]).toEqual([0, 0, 0, 0, 0, 5, 5, 5, 8, 8, 10, 11, 12, 13, 14, 15]);
    expect([...batch.bounds.filter((_, i) => i % 2 === 1)]).toEqual([5, 5, 5, 5, 5, 8, 8, 8, 10, 10, 11, 12, 13, 14, 15, 16]);
    expect([...batch.visionRows]).toEqual([1, 2, 8]);
    // The label of a sample's first token has no predecessor in its own sample.
    expect([...batch.targetRows]).toEqual([2, 3, 6, 8]);
    expect([...batch.targetIds]).toEqual([2, 3, 6, 8]);
    expect([...batch.targetSample]).toEqual([0, 0, 1, 2]);
    expect(batch.positionIds).toHaveLength(48);
    expect([...batch.positionIds.subarray(0, 16)]).toEqual([0, 1, 1, 3, 4, 0, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect([...batch.positionIds.subarray(32, 48)]).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect(batch.grids).toEqual([[1, 2, 4], [1, 2, 2]]);
    expect(batch.pixelValues).toHaveLength((8 + 4) * 24);
    expect([...new Set(batch.pixelValues.subarray(0, 8 * 24))]).toEqual([1]);
    expect([...new Set(batch.pixelValues.subarray(8 * 24))]).toEqual([-1]);
  });

  it('needs no padding when the tokens fill the bucket, and no samples at all', async () => {
    const full = await packSamples([sample([1, 2, 3, 4, 5, 6, 7, 8], new Array<number>(8).fill(X))], settings);
    expect(full.rowCount).toBe(8);
    expect(full.targetRows).toHaveLength(0);
    expect(full.pixelValues).toHaveLength(0);
    expect((await packSamples([], settings)).rowCount).toBe(0);
  });

  it('notices vision tokens that disagree with the grids', async () => {
    const broken = { ...sample([IMAGE, 1], [X, X], [[1, 2, 2]]), media: [] };
    await expect(packSamples([broken], settings)).rejects.toThrow(/Invariant violation/);
    const other = { ...sample([IMAGE, 1], [X, X], [[1, 2, 2]]), pixels: async () => [{ pixels: new Uint8Array(12), height: 2, width: 2 }] };
    await expect(packSamples([other], settings)).rejects.toThrow(/a frame of 2 × 2 where 4 × 4 was planned/);
  });
});
