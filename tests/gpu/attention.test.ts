import { describe, expect, it } from 'vitest';
import { attentionBackward, attentionForward, type AttentionShape } from '../../src/kernels/attention.ts';
import { plainAttention, plainAttentionGradient } from '../reference/attention.ts';
import { noise, relativeError, useGpu } from './open.ts';

/** Scores, exponentials and weighted sums in float32; a score near 10 with an error of 1e-6 moves its probability by as much. */
const TOLERANCE = 5e-6;

/** Three samples, one of a single row, then padding rows that see themselves only. */
const SEGMENTS = [7, 1, 12, 1, 1, 1];
const ROWS = SEGMENTS.reduce((a, b) => a + b);

function boundsOf(segments: readonly number[]): { start: number[]; end: number[]; interleaved: Int32Array } {
  const start: number[] = [];
  const end: number[] = [];
  for (const length of segments) {
    const first = start.length;
    for (let i = 0; i < length; i++) {
      start.push(first);
      end.push(first + length);
    }
  }
  return { start, end, interleaved: Int32Array.from(start.flatMap((first, t) => [first, end[t]])) };
}

/** Puts a dense [rows, size] matrix into columns `offset`… of a wider one. */
function widened(dense: Float32Array, rows: number, stride: number, offset: number, into: Float32Array): Float32Array {
  const size = dense.length / rows;
  for (let row = 0; row < rows; row++) into.set(dense.subarray(row * size, (row + 1) * size), row * stride + offset);
  return into;
}

interface Heads {
  heads: number;
  kvHeads: number;
  headDim: number;
}

const HEADS: Heads[] = [
  { heads: 3, kvHeads: 3, headDim: 12 },
  { heads: 2, kvHeads: 2, headDim: 32 },
  { heads: 4, kvHeads: 2, headDim: 64 },
  { heads: 2, kvHeads: 1, headDim: 80 },
  { heads: 4, kvHeads: 1, headDim: 128 },
  { heads: 4, kvHeads: 2, headDim: 256 },
];

function useChecks(profile: 'rasterizer' | 'gpu') {
  const gpuOf = useGpu(profile);
  /** Forward and backward of one shape against the plain implementation. `sharpness` scales the scores. */
  return async (shape: AttentionShape, segments: readonly number[], sharpness: number) => {
    const gpu = gpuOf();
    const { rows, heads, kvHeads, headDim } = shape;
    const bounds = boundsOf(segments);
    const q = noise(rows * heads * headDim, 1).map((value) => value * sharpness);
    const k = noise(rows * kvHeads * headDim, 2);
    const v = noise(rows * kvHeads * headDim, 3);
    const dO = noise(rows * heads * headDim, 4);
    // q, k and v side by side in one matrix, as a joint projection leaves them, with a gap before and between.
    const kOffset = 8 + heads * headDim;
    const vOffset = kOffset + kvHeads * headDim + 4;
    const stride = vOffset + kvHeads * headDim;
    const joint = new Float32Array(rows * stride);
    widened(q, rows, stride, 8, joint);
    widened(k, rows, stride, kOffset, joint);
    widened(v, rows, stride, vOffset, joint);
    const data = gpu.upload(joint, [rows, stride]);
    const inputs = {
      q: { data, stride, offset: 8 },
      k: { data, stride, offset: kOffset },
      v: { data, stride, offset: vOffset },
      bounds: gpu.upload(bounds.interleaved, [rows, 2]),
    };
    const result = attentionForward(gpu, inputs, shape);
    const untouched = noise(rows * stride, 5);
    const dv = { data: gpu.upload(untouched, [rows, stride]), stride, offset: vOffset };
    const { dq, dk } = attentionBackward(gpu, inputs, shape, result, gpu.upload(dO, [rows, heads * headDim]), dv);
    const plain = { q, k, v, ...bounds };
    expect(relativeError(await gpu.readFloats(result.output), plainAttention(plain, shape)), 'output').toBeLessThan(TOLERANCE);
    const expected = plainAttentionGradient(plain, shape, dO);
    expect(relativeError(await gpu.readFloats(dq), expected.dq), 'dq').toBeLessThan(TOLERANCE);
    expect(relativeError(await gpu.readFloats(dk), expected.dk), 'dk').toBeLessThan(TOLERANCE);
    // Columns beside those of v keep what they held.
    const wide = widened(Float32Array.from(expected.dv), rows, stride, vOffset, untouched);
    expect(relativeError(await gpu.readFloats(dv.data), wide), 'dv').toBeLessThan(TOLERANCE);
  };
}

describe('attention shaped for a rasterizer', () => {
  const check = useChecks('rasterizer');

  it.each(HEADS)('$heads heads over $kvHeads of $headDim, causal and bidirectional, over packed segments', async (heads) => {
    for (const causal of [true, false]) await check({ ...heads, rows: ROWS, causal }, SEGMENTS, 2);
  });

  it('one row, one segment over all rows, and sharp scores', async () => {
    for (const causal of [true, false]) {
      await check({ ...HEADS[1], rows: 1, causal }, [1], 1);
      await check({ ...HEADS[1], rows: 41, causal }, [41], 1);
      await check({ ...HEADS[1], rows: 19, causal }, [3, 16], 40);
    }
  });

  it('many windows of odd small lengths, as a vision tower cuts a picture', async () => {
    const windows = Array.from({ length: 24 }, (_, i) => 1 + ((i * 5) % 9));
    await check({ heads: 2, kvHeads: 2, headDim: 80, rows: windows.reduce((a, b) => a + b), causal: false }, windows, 2);
  });
});

describe('attention shaped for a gpu', () => {
  const check = useChecks('gpu');

  it('agrees too, with more rows than a workgroup', async () => {
    for (const causal of [true, false]) await check({ ...HEADS[2], rows: 67, causal }, [33, 1, 30, 1, 1, 1], 2);
  });

  it.each([80, 256])('agrees for heads of %i', async (headDim) => {
    for (const causal of [true, false]) await check({ heads: 2, kvHeads: 1, headDim, rows: 69, causal }, [40, 29], 2);
  });
});

describe('views that the kernel cannot read', () => {
  const gpuOf = useGpu();

  it('are refused, not misread', () => {
    const gpu = gpuOf();
    const view = { data: gpu.empty([3, 34]), stride: 34, offset: 0 };
    const inputs = { q: view, k: view, v: view, bounds: gpu.upload(Int32Array.of(0, 3, 0, 3, 0, 3), [3, 2]) };
    expect(() => attentionForward(gpu, inputs, { rows: 3, heads: 1, kvHeads: 1, headDim: 32, causal: true })).toThrow(/Invariant violation.*stride 34/);
  });
});
