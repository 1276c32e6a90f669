import { expect, it } from 'vitest';
import { outputGateBackward, outputGateForward } from '../../src/kernels/output-gate.ts';
import { centralDifferences, dot } from '../reference/differences.ts';
import { noise, relativeError, useGpu } from './open.ts';

/** An exponential and a handful of products in float32. */
const TOLERANCE = 1e-6;
const gpuOf = useGpu();

const plainGate = (attention: ArrayLike<number>, gate: ArrayLike<number>): Float64Array =>
  Float64Array.from(attention, (value, i) => value / (1 + Math.exp(-gate[i])));

it.each([
  { rows: 1, heads: 1, headDim: 4, before: 0, after: 0 },
  { rows: 7, heads: 3, headDim: 12, before: 5, after: 9 },
  { rows: 5, heads: 2, headDim: 256, before: 0, after: 3 },
])('$rows rows of $heads heads of $headDim: gates that lie between queries give output and both gradients as the plain ones', async ({ rows, heads, headDim, before, after }) => {
  const gpu = gpuOf();
  const width = heads * headDim;
  const stride = before + 2 * width + after;
  // Gates far out, where the exponential vanishes or overflows, among ordinary ones.
  const joint = noise(rows * stride, 1).map((value, i) => value * (i % 11 === 0 ? 150 : 3));
  const attention = noise(rows * width, 2);
  const dy = noise(rows * width, 3);
  const untouched = noise(rows * stride, 4);
  const placeOf = (i: number) => {
    const [row, head] = [Math.floor(i / width), Math.floor((i % width) / headDim)];
    return row * stride + before + head * 2 * headDim + headDim + (i % headDim);
  };
  const gateValues = Float32Array.from(attention, (_, i) => joint[placeOf(i)]);
  const layout = { stride, offset: before + headDim, headStride: 2 * headDim };
  const gate = { data: gpu.upload(joint, [rows, stride]), ...layout };
  const dGate = { data: gpu.upload(untouched, [rows, stride]), ...layout };
  const attentionT = gpu.upload(attention, [rows, width]);

  const y = await gpu.readFloats(outputGateForward(gpu, attentionT, gate, headDim));
  const dAttention = await gpu.readFloats(outputGateBackward(gpu, attentionT, gate, headDim, gpu.upload(dy, [rows, width]), dGate));

  expect(relativeError(y, plainGate(attention, gateValues))).toBeLessThan(TOLERANCE);
  expect(relativeError(dAttention, plainGate(dy, gateValues))).toBeLessThan(TOLERANCE);
  // Each output depends on its own gate alone, so head by head is enough, and keeps the differences quick.
  const expected = Float64Array.from(untouched);
  for (let first = 0; first < attention.length; first += headDim) {
    const part = (values: Float32Array) => values.subarray(first, first + headDim);
    const slopes = centralDifferences((values) => dot(plainGate(part(attention), values), part(dy)), part(gateValues));
    slopes.forEach((slope, i) => (expected[placeOf(first + i)] = slope));
  }
  // Also says that queries and columns beside the view keep what they held.
  expect(relativeError(await gpu.readFloats(dGate.data), expected)).toBeLessThan(TOLERANCE);
});

it('a gradient with another layout than its gate is refused', () => {
  const gpu = gpuOf();
  const t = gpu.zeros([2, 8]);
  const gate = { data: t, stride: 8, offset: 4, headStride: 8 };
  expect(() => outputGateBackward(gpu, gpu.zeros([2, 4]), gate, 4, gpu.zeros([2, 4]), { ...gate, data: gpu.zeros([2, 8]), offset: 0 })).toThrow(/Invariant violation: output gate backward/);
  expect(() => outputGateForward(gpu, gpu.zeros([2, 6]), gate, 4)).toThrow(/6 columns are no heads of 4/);
});
