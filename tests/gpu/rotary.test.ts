import { describe, expect, it } from 'vitest';
import { rotaryBackward, rotaryForward } from '../../src/kernels/rotary.ts';
import { plainRotaryHead, plainRotaryHeadGradient } from '../reference/rotary.ts';
import { noise, relativeError, useGpu } from './open.ts';

/** One float32 sum of headDim squares and a handful of products. */
const TOLERANCE = 2e-6;
const EPS = 1e-6;

interface Case {
  rows: number;
  heads: number;
  headDim: number;
  /** Row length and first column of x inside a wider matrix, as in a joint qkv projection. */
  stride: number;
  offset: number;
  norm: boolean;
  /** The whole head when left out. */
  rotaryDim?: number;
  /** From head to head in x, when heads are not side by side. */
  headStride?: number;
}

const CASES: Case[] = [
  { rows: 1, heads: 1, headDim: 32, stride: 32, offset: 0, norm: true },
  { rows: 13, heads: 4, headDim: 32, stride: 300, offset: 128, norm: true },
  { rows: 9, heads: 5, headDim: 64, stride: 320, offset: 0, norm: true },
  { rows: 5, heads: 2, headDim: 128, stride: 777, offset: 513, norm: true },
  { rows: 17, heads: 3, headDim: 12, stride: 108, offset: 36, norm: false },
  { rows: 17, heads: 3, headDim: 12, stride: 36, offset: 0, norm: false },
  { rows: 6, heads: 3, headDim: 80, stride: 720, offset: 240, norm: false },
  { rows: 4, heads: 2, headDim: 256, stride: 512, offset: 0, norm: true },
  // As in Qwen3.5: a gate lies between the queries, and a quarter of each head turns.
  { rows: 5, heads: 3, headDim: 256, stride: 1536, offset: 0, norm: true, rotaryDim: 64, headStride: 512 },
  { rows: 7, heads: 4, headDim: 32, stride: 400, offset: 17, norm: true, rotaryDim: 12, headStride: 64 },
  { rows: 7, heads: 4, headDim: 20, stride: 90, offset: 3, norm: false, rotaryDim: 2 },
];

describe.each(['rasterizer', 'gpu'] as const)('rotary embedding shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);

  it.each(CASES)('rows $rows, heads $heads of $headDim, norm $norm, turned $rotaryDim: forward and backward equal the plain ones', async ({ rows, heads, headDim, stride, offset, norm, rotaryDim = headDim, headStride = headDim }) => {
    const gpu = gpuOf();
    const half = rotaryDim / 2;
    const x = noise(rows * stride, 1).map((value) => 4 * value);
    const weight = norm ? noise(headDim, 2).map((value) => 1 + value) : null;
    const angles = Float64Array.from({ length: rows * half }, (_, i) => Math.floor(i / half) * 100 ** (-(i % half) / half));
    const [cos, sin] = [Float32Array.from(angles, Math.cos), Float32Array.from(angles, Math.sin)];
    const dyStride = heads * headDim + 5;
    const dy = noise(rows * dyStride, 3);
    const headNorm = weight ? { weight: gpu.createBuffer(weight), eps: EPS } : null;
    const tables = { cos: gpu.upload(cos, [rows, half]), sin: gpu.upload(sin, [rows, half]) };
    const view = { data: gpu.upload(x, [rows, stride]), stride, offset, headStride };
    const untouched = noise(rows * stride, 4);
    const dx = { data: gpu.upload(untouched, [rows, stride]), stride, offset, headStride };

    const y = await gpu.readFloats(rotaryForward(gpu, view, rows, heads, headDim, tables, headNorm));
    rotaryBackward(gpu, view, rows, heads, headDim, tables, headNorm, { data: gpu.upload(dy, [rows, dyStride]), stride: dyStride, offset: 3 }, dx);

    const expectedY = new Float64Array(rows * heads * headDim);
    const expectedDx = Float64Array.from(untouched);
    for (let row = 0; row < rows; row++) {
      for (let h = 0; h < heads; h++) {
        const at = row * stride + offset + h * headStride;
        const head = x.subarray(at, at + headDim);
        const [c, s] = [cos, sin].map((table) => table.subarray(row * half, (row + 1) * half));
        const dyAt = row * dyStride + 3 + h * headDim;
        expectedY.set(plainRotaryHead(head, c, s, weight, EPS), (row * heads + h) * headDim);
        expectedDx.set(plainRotaryHeadGradient(head, c, s, weight, EPS, dy.subarray(dyAt, dyAt + headDim)), at);
      }
    }
    expect(relativeError(y, expectedY)).toBeLessThan(TOLERANCE);
    // Also says that columns outside the view keep what they held.
    expect(relativeError(await gpu.readFloats(dx.data), expectedDx)).toBeLessThan(TOLERANCE);
  });

  it('more heads than one dispatch dimension holds are all turned', async () => {
    const gpu = gpuOf();
    const rows = 65_535 * 64 + 3;
    const x = new Float32Array(2 * rows).fill(1);
    const quarter = { cos: gpu.upload(new Float32Array(rows), [rows, 1]), sin: gpu.upload(new Float32Array(rows).fill(1), [rows, 1]) };
    const y = await gpu.readFloats(rotaryForward(gpu, { data: gpu.upload(x, [rows, 2]), stride: 2, offset: 0 }, rows, 1, 2, quarter, null));
    expect(y.every((value, i) => value === (i % 2 === 0 ? -1 : 1))).toBe(true);
  });
});
