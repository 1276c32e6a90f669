import { describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { matmulForward, matmulTransposed, uploadWeight, viewOf } from '../../src/kernels/matmul.ts';
import { PRODUCT_VARIANTS } from '../../src/kernels/product-variants.ts';
import { packWeight, unpack, type WeightKind } from '../../src/quantization/packed-weight.ts';
import { noise, relativeError, useGpu } from './open.ts';

/** X[M,K]·Wᵀ in doubles. */
function plainForward(x: Float32Array, w: Float32Array, rows: number, n: number, k: number): Float64Array {
  const y = new Float64Array(rows * n);
  for (let i = 0; i < rows; i++) for (let j = 0; j < n; j++) for (let l = 0; l < k; l++) y[i * n + j] += x[i * k + l] * w[j * k + l];
  return y;
}

/** X[M,N]·W in doubles. */
function plainTransposed(x: Float32Array, w: Float32Array, rows: number, n: number, k: number): Float64Array {
  const y = new Float64Array(rows * k);
  for (let i = 0; i < rows; i++) for (let j = 0; j < n; j++) for (let l = 0; l < k; l++) y[i * k + l] += x[i * n + j] * w[j * k + l];
  return y;
}

/** Sums of at most 2,112 float32 products in another order than the reference's. */
const TOLERANCE = 3e-6;

/** Aligned, few rows, odd, and more than one tile of every variant each way. */
const SHAPES: [rows: number, n: number, k: number][] = [[37, 48, 64], [5, 128, 96], [33, 29, 37], [130, 96, 256]];

async function checkBothForms(gpu: Gpu, kind: WeightKind, rows: number, n: number, k: number): Promise<void> {
  const packed = packWeight(kind, noise(n * k, 3), n, k);
  const plain = unpack(packed);
  const weight = uploadWeight(gpu, packed);
  const [x, g, bias] = [noise(rows * k, 5), noise(rows * n, 7), noise(n, 9)];
  const [xt, gt, bt] = [gpu.upload(x, [rows, k]), gpu.upload(g, [rows, n]), gpu.upload(bias, [n])];
  const [y, again, dx] = [gpu.empty([rows, n]), gpu.empty([rows, n]), gpu.empty([rows, k])];
  for (const result of [y, again]) matmulForward(gpu, viewOf(xt), rows, weight, viewOf(result), { bias: bt });
  matmulTransposed(gpu, viewOf(gt), rows, weight, viewOf(dx));
  matmulTransposed(gpu, viewOf(gt), rows, weight, viewOf(dx), { add: 'self' });
  const expected = plainForward(x, plain, rows, n, k).map((value, i) => value + bias[i % n]);
  const forward = await gpu.readFloats(y);
  expect(relativeError(forward, expected), 'forward').toBeLessThan(TOLERANCE);
  expect(await gpu.readFloats(again), 'the same bits again').toEqual(forward);
  expect(relativeError(await gpu.readFloats(dx), plainTransposed(g, plain, rows, n, k).map((value) => 2 * value)), 'transposed').toBeLessThan(TOLERANCE);
  for (const tensor of [xt, gt, bt, y, again, dx]) tensor.dispose();
  gpu.destroyBuffer(weight.buffer);
}

describe.each(['rasterizer', 'gpu'] as const)('products shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);

  describe.each<WeightKind>(['nf4', 'int8', 'bf16', 'f32'])('with %s weights', (kind) => {
    it.each(SHAPES)('M %i, N %i, K %i: forward and transposed equal the plain product', (rows, n, k) => checkBothForms(gpuOf(), kind, rows, n, k));
  });
});

describe('products of few rows or few columns on a GPU', () => {
  const gpuOf = useGpu('gpu');

  it.each<[name: string, kind: WeightKind, rows: number, n: number, k: number]>([
    ['one row', 'nf4', 1, 12, 2112],
    ['four rows', 'int8', 4, 12, 192],
    ['sums in eight pieces', 'f32', 12, 16, 1024],
    ['sums in pieces of an odd matrix', 'nf4', 9, 30, 518],
  ])('%s: %s, M %i, N %i, K %i', (_, kind, rows, n, k) => checkBothForms(gpuOf(), kind, rows, n, k));

  it.each(PRODUCT_VARIANTS.filter(({ profile, family }) => profile !== 'rasterizer' && family === 'tile').map(({ name }) => name))('%s, wherever it stands in the table', async (name) => {
    const gpu = gpuOf();
    gpu.forced.add(name);
    await checkBothForms(gpu, 'nf4', 130, 96, 256);
    gpu.forced.clear();
  });

  it('a forced variant is taken where it can run', async () => {
    const gpu = gpuOf();
    const dispatchesOf = async (...forced: string[]) => {
      const before = gpu.dispatches;
      forced.forEach((name) => gpu.forced.add(name));
      await checkBothForms(gpu, 'nf4', 1, 12, 1024);
      gpu.forced.clear();
      return gpu.dispatches - before;
    };
    // Tiles cut so long a sum into pieces, and add them in a dispatch of its own.
    expect(await dispatchesOf('tile 32 × 32')).toBe(6);
    expect(await dispatchesOf()).toBe(4);
  });
});
