/** Attention of one variant against the plain implementation. */
import { expect } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { attentionBackward, attentionForward, type AttentionShape } from '../../src/kernels/attention.ts';
import { ATTENTION_VARIANTS, type AttentionVariant } from '../../src/kernels/attention-variants.ts';
import { plainAttention, plainAttentionGradient } from '../reference/attention.ts';
import { noise } from './open.ts';

/** Scores, exponentials and weighted sums in float32; a score near 10 with an error of 1e-6 moves its probability by as much. */
export const TOLERANCE = 5e-6;

/** Largest difference, relative to the largest magnitude expected; where gradients cancel, to their terms, which are near a tenth. */
export function attentionError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let size = 0.1;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Number.isFinite(actual[i]) ? Math.abs(actual[i] - expected[i]) : Infinity);
    size = Math.max(size, Math.abs(expected[i]));
  }
  return difference / size;
}

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

export function variantOf(name: string): AttentionVariant {
  const variant = ATTENTION_VARIANTS.find((candidate) => candidate.name === name);
  if (!variant) throw new Error(`no attention variant is called ${name}`);
  return variant;
}

export interface AttentionCase {
  heads: number;
  kvHeads: number;
  headDim: number;
  causal: boolean;
  segments: readonly number[];
  /** Scales the scores; 1 when left out. */
  sharpness?: number;
}

/** Forward and backward of one case, twice: agreement with the plain implementation, and the same bits. */
export async function checkAttention(gpu: Gpu, variant: AttentionVariant, { segments, sharpness = 1, ...given }: AttentionCase): Promise<void> {
  const shape: AttentionShape = { ...given, rows: segments.reduce((a, b) => a + b) };
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
  const untouched = noise(rows * stride, 5);
  const dOutput = gpu.upload(dO, [rows, heads * headDim]);
  const run = async () => {
    const result = attentionForward(gpu, inputs, shape, variant);
    const dv = { data: gpu.upload(untouched, [rows, stride]), stride, offset: vOffset };
    const { dq, dk } = attentionBackward(gpu, inputs, shape, result, dOutput, dv, variant);
    const tensors = { output: result.output, dq, dk, dv: dv.data };
    const values = { output: await gpu.readFloats(tensors.output), dq: await gpu.readFloats(dq), dk: await gpu.readFloats(dk), dv: await gpu.readFloats(dv.data) };
    for (const tensor of [...Object.values(tensors), result.stats]) tensor.dispose();
    return values;
  };
  const actual = await run();
  const plain = { q, k, v, ...bounds };
  const expected = { output: plainAttention(plain, shape), ...plainAttentionGradient(plain, shape, dO) };
  // Columns beside those of v keep what they held.
  const dv = widened(Float32Array.from(expected.dv), rows, stride, vOffset, untouched.slice());
  for (const [name, values] of Object.entries({ ...expected, dv }) as [keyof typeof actual, ArrayLike<number>][]) {
    expect(attentionError(actual[name], values), name).toBeLessThan(TOLERANCE);
  }
  expect(await run(), 'the same bits again').toEqual(actual);
  for (const tensor of [data, inputs.bounds, dOutput]) tensor.dispose();
}
