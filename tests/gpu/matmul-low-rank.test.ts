import { describe, expect, it } from 'vitest';
import { floatWeight, matmulForward, matmulTransposed, uploadWeight, viewOf } from '../../src/kernels/matmul.ts';
import { packWeight, unpack, type WeightKind } from '../../src/quantization/packed-weight.ts';
import { noise, relativeError, useGpu } from './open.ts';

/** Sums of at most 260 float32 products in another order than the reference's. */
const TOLERANCE = 3e-6;

interface Case {
  kind: WeightKind;
  rows: number;
  n: number;
  k: number;
  rank: number;
  /** Words before a row of X and Y inside wider matrices. */
  gap: number;
}

const CASES: Case[] = [
  { kind: 'nf4', rows: 37, n: 48, k: 64, rank: 4, gap: 0 },
  { kind: 'bf16', rows: 3, n: 128, k: 96, rank: 16, gap: 8 },
  { kind: 'bf16', rows: 33, n: 29, k: 37, rank: 3, gap: 5 },
  { kind: 'nf4', rows: 9, n: 64, k: 256, rank: 1, gap: 4 },
  { kind: 'int8', rows: 150, n: 64, k: 64, rank: 20, gap: 0 },
];

/** scale · H · L into result, with L given as a function. */
function addLowRank(result: Float64Array, h: Float32Array, rank: number, columns: number, scale: number, factor: (column: number, r: number) => number): void {
  for (let at = 0; at < result.length; at++) {
    const row = Math.floor(at / columns);
    for (let r = 0; r < rank; r++) result[at] += scale * h[row * rank + r] * factor(at % columns, r);
  }
}

describe.each(['rasterizer', 'gpu'] as const)('products shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);

  it.each(CASES)(
    '$kind, M $rows, N $n, K $k, rank $rank: low-rank term, bias and residual in one pass, on columns of wider matrices',
    async ({ kind, rows, n, k, rank, gap }) => {
      const gpu = gpuOf();
      const packed = packWeight(kind, noise(n * k, 1), n, k);
      const w = unpack(packed);
      const weight = uploadWeight(gpu, packed);
      const wide = (columns: number, seed: number) => ({ values: noise(rows * (columns + gap), seed), stride: columns + gap, offset: gap });
      const [x, g] = [wide(k, 2), wide(n, 3)];
      const at = (view: typeof x, row: number, column: number) => view.values[row * view.stride + view.offset + column];
      const viewFor = (view: typeof x) => ({ data: gpu.upload(view.values, [rows, view.stride]), stride: view.stride, offset: view.offset });
      const h = noise(rows * rank, 4);
      const hView = viewOf(gpu.upload(h, [rows, rank]));
      const [a, b, bias] = [noise(rank * k, 5), noise(n * rank, 6), noise(n, 7)];
      // A and B in one flat buffer, as the adapter keeps them.
      const factors = gpu.createBuffer(Float32Array.of(9, 9, 9, ...a, ...b));
      const [yStart, dxStart] = [wide(n, 8), wide(k, 9)];
      const y = viewFor(yStart);
      matmulForward(gpu, viewFor(x), rows, weight, y, {
        lowRank: { h: hView, factor: factors, factorOffset: 3 + a.length, rank, scale: 0.5 },
        bias: gpu.upload(bias, [n]),
        add: gpu.upload(yStart.values, [rows, yStart.stride]),
      });
      const dx = viewFor(dxStart);
      matmulTransposed(gpu, viewFor(g), rows, weight, dx, { lowRank: { h: hView, factor: factors, factorOffset: 3, rank, scale: 2 }, add: 'self' });

      const forward = Float64Array.from({ length: rows * n }, (_, i) => {
        const [row, column] = [Math.floor(i / n), i % n];
        let sum = bias[column] + at(yStart, row, column);
        for (let l = 0; l < k; l++) sum += at(x, row, l) * w[column * k + l];
        return sum;
      });
      addLowRank(forward, h, rank, n, 0.5, (column, r) => b[column * rank + r]);
      const backward = Float64Array.from({ length: rows * k }, (_, i) => {
        const [row, column] = [Math.floor(i / k), i % k];
        let sum = at(dxStart, row, column);
        for (let l = 0; l < n; l++) sum += at(g, row, l) * w[l * k + column];
        return sum;
      });
      addLowRank(backward, h, rank, k, 2, (column, r) => a[r * k + column]);
      const into = (start: typeof x, dense: Float64Array, columns: number) =>
        Float64Array.from(start.values, (value, i) => (i % start.stride < start.offset ? value : dense[Math.floor(i / start.stride) * columns + (i % start.stride) - start.offset]));
      expect(relativeError(await gpu.readFloats(y.data), into(yStart, forward, n)), 'forward').toBeLessThan(TOLERANCE);
      expect(relativeError(await gpu.readFloats(dx.data), into(dxStart, backward, k)), 'transposed').toBeLessThan(TOLERANCE);

      // The factor as a matrix of its own: H = X · Aᵀ.
      const projected = gpu.empty([rows, rank]);
      matmulForward(gpu, viewFor(x), rows, floatWeight(factors, 3, rank, k), viewOf(projected));
      const expectedH = Float64Array.from({ length: rows * rank }, (_, i) => {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += at(x, Math.floor(i / rank), l) * a[(i % rank) * k + l];
        return sum;
      });
      expect(relativeError(await gpu.readFloats(projected), expectedH), 'X·Aᵀ').toBeLessThan(TOLERANCE);
      gpu.destroyBuffer(weight.buffer);
      gpu.destroyBuffer(factors);
    },
  );

  it('rows of a table taken piece by piece give the columns of the whole product', async () => {
    const gpu = gpuOf();
    const [rows, n, k] = [11, 70, 64];
    const packed = packWeight('bf16', noise(n * k, 1), n, k);
    const weight = uploadWeight(gpu, packed);
    const x = viewOf(gpu.upload(noise(rows * k, 2), [rows, k]));
    const whole = gpu.empty([rows, n]);
    matmulForward(gpu, x, rows, weight, viewOf(whole));
    const expected = await gpu.readFloats(whole);
    const sum = gpu.zeros([rows, k]);
    for (const [rowStart, rowCount] of [[0, 32], [32, 37], [69, 1]]) {
      const piece = gpu.empty([rows, rowCount]);
      matmulForward(gpu, x, rows, weight, viewOf(piece), { rowStart, rowCount });
      const values = await gpu.readFloats(piece);
      const columns = Float32Array.from({ length: rows * rowCount }, (_, i) => expected[Math.floor(i / rowCount) * n + rowStart + (i % rowCount)]);
      expect(relativeError(values, columns), `rows ${rowStart}+${rowCount}`).toBeLessThan(TOLERANCE);
      matmulTransposed(gpu, viewOf(piece), rows, weight, viewOf(sum), { rowStart, rowCount, add: 'self' });
    }
    const all = gpu.empty([rows, k]);
    matmulTransposed(gpu, viewOf(whole), rows, weight, viewOf(all));
    expect(relativeError(await gpu.readFloats(sum), await gpu.readFloats(all))).toBeLessThan(TOLERANCE);
  });
});
