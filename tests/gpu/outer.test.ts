import { describe, expect, it } from 'vitest';
import { accumulateOuter } from '../../src/kernels/outer.ts';
import { plainOuter } from '../reference/outer.ts';
import { noise, relativeError, useGpu } from './open.ts';

/** Sums of up to 1,300 float32 products of random sign, in another order than the reference's. */
const TOLERANCE = 3e-6;

interface Case {
  rows: number;
  /** Rank. */
  countI: number;
  countJ: number;
  /** Strides and offsets are multiples of 4, as the counts are. */
  aligned?: true;
}

const CASES: Case[] = [
  { rows: 1, countI: 1, countJ: 1 },
  { rows: 37, countI: 4, countJ: 48 },
  { rows: 70, countI: 16, countJ: 131 },
  { rows: 33, countI: 17, countJ: 64 },
  { rows: 1300, countI: 5, countJ: 67 },
  { rows: 1, countI: 4, countJ: 4, aligned: true },
  { rows: 70, countI: 48, countJ: 132, aligned: true },
  { rows: 1300, countI: 20, countJ: 64, aligned: true },
];

describe.each(['rasterizer', 'gpu'] as const)('outer products shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);

  it.each(CASES)('rows $rows, rank $countI, size $countJ: added to the gradient as A [r, in] and as B [out, r]', async ({ rows, countI, countJ, aligned }) => {
    const gpu = gpuOf();
    const [pStride, qStride] = aligned ? [countI + 8, countJ + 4] : [countI + 3, countJ + 5];
    const [pOffset, qOffset] = aligned ? [4, 4] : [2, 1];
    const p = noise(rows * pStride, 1);
    const q = noise(rows * qStride, 2);
    const column = (values: Float32Array, stride: number, offset: number, count: number) =>
      Float32Array.from({ length: rows * count }, (_, i) => values[Math.floor(i / count) * stride + offset + (i % count)]);
    const product = plainOuter(column(p, pStride, pOffset, countI), countI, column(q, qStride, qOffset, countJ), countJ, rows);
    const pView = { data: gpu.upload(p, [rows, pStride]), stride: pStride, offset: pOffset };
    const qView = { data: gpu.upload(q, [rows, qStride]), stride: qStride, offset: qOffset };

    const before = noise(countI * countJ + 20, 3);
    for (const [strideI, strideJ] of [[countJ, 1], [1, countI]]) {
      const buffer = gpu.createBuffer(before);
      const target = { buffer, offset: 7, strideI, strideJ };
      accumulateOuter(gpu, pView, countI, qView, countJ, rows, 0.5, target);
      accumulateOuter(gpu, pView, countI, qView, countJ, rows, 1.5, target);
      const expected = Float64Array.from(before);
      for (let i = 0; i < countI; i++) for (let j = 0; j < countJ; j++) expected[7 + i * strideI + j * strideJ] += 2 * product[i * countJ + j];
      // Also says that neighbours in the flat gradient keep what they held.
      expect(relativeError(await gpu.readFloats(buffer, before.length), expected)).toBeLessThan(TOLERANCE);
      gpu.destroyBuffer(buffer);
    }
  });

  it('gives the same bits every time', async () => {
    const gpu = gpuOf();
    const [rows, countI, countJ] = [1300, 5, 67];
    const [p, q] = [gpu.upload(noise(rows * countI, 4), [rows, countI]), gpu.upload(noise(rows * countJ, 5), [rows, countJ])];
    const results: Float32Array[] = [];
    for (let run = 0; run < 2; run++) {
      const buffer = gpu.createBuffer(new Float32Array(countI * countJ));
      accumulateOuter(gpu, { data: p, stride: countI, offset: 0 }, countI, { data: q, stride: countJ, offset: 0 }, countJ, rows, 1, { buffer, offset: 0, strideI: countJ, strideJ: 1 });
      results.push(await gpu.readFloats(buffer, countI * countJ));
    }
    expect(results[0]).toEqual(results[1]);
  });
});
