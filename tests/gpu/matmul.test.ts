import { describe, expect, it } from 'vitest';
import { matmulForward, matmulTransposed, uploadWeight, viewOf } from '../../src/kernels/matmul.ts';
import { packWeight, unpack, type WeightKind } from '../../src/quantization/packed-weight.ts';
import { noise, relativeError, useGpu } from './open.ts';

const gpuOf = useGpu();

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

const SHAPES: [rows: number, n: number, k: number][] = [[37, 48, 64], [5, 128, 96], [70, 20, 48], [33, 29, 37], [1, 7, 12], [130, 96, 256]];

describe.each<WeightKind>(['nf4', 'int8', 'bf16', 'f32'])('products with %s weights', (kind) => {
  it.each(SHAPES)('M %i, N %i, K %i: forward and transposed equal the plain product', async (rows, n, k) => {
    const gpu = gpuOf();
    const packed = packWeight(kind, noise(n * k, 3), n, k);
    const plain = unpack(packed);
    const weight = uploadWeight(gpu, packed);
    const x = noise(rows * k, 5);
    const g = noise(rows * n, 7);
    const bias = noise(n, 9);
    const xt = gpu.upload(x, [rows, k]);
    const gt = gpu.upload(g, [rows, n]);
    const bt = gpu.upload(bias, [n]);
    const y = gpu.empty([rows, n]);
    const dx = gpu.empty([rows, k]);
    matmulForward(gpu, viewOf(xt), rows, weight, viewOf(y), { bias: bt });
    matmulTransposed(gpu, viewOf(gt), rows, weight, viewOf(dx));
    matmulTransposed(gpu, viewOf(gt), rows, weight, viewOf(dx), { add: 'self' });
    const expected = plainForward(x, plain, rows, n, k).map((value, i) => value + bias[i % n]);
    expect(relativeError(await gpu.readFloats(y), expected)).toBeLessThan(3e-6);
    expect(relativeError(await gpu.readFloats(dx), plainTransposed(g, plain, rows, n, k).map((value) => 2 * value))).toBeLessThan(3e-6);
    gpu.destroyBuffer(weight.buffer);
  });
});
