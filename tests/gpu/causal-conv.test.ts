import { describe, expect, it } from 'vitest';
import { causalConvBackward, causalConvForward, causalConvStep, causalConvWindows, type CausalConv } from '../../src/kernels/causal-conv.ts';
import { gatherRows } from '../../src/kernels/rows.ts';
import { plainCausalConv, plainCausalConvGradient } from '../reference/causal-conv.ts';
import { maxAbsError, sideBySide } from './delta-cases.ts';
import { noise, useGpu } from './open.ts';

/** Sums of a few products of size one. */
const TOLERANCE = 2e-6;
const gpuOf = useGpu();

/** Shorter than the taps, as long, longer, and padding rows. */
const LENGTHS = [7, 1, 3, 4, 2, 12, 1, 1];
const ROWS = LENGTHS.reduce((a, b) => a + b);
const STARTS = LENGTHS.map((_, i) => LENGTHS.slice(0, i).reduce((a, b) => a + b, 0));
const START = LENGTHS.flatMap((length, i) => Array.from({ length }, () => STARTS[i]));
const END = LENGTHS.flatMap((length, i) => Array.from({ length }, () => STARTS[i] + length));

function setUp(channels: number, taps: number) {
  const gpu = gpuOf();
  const x = noise(ROWS * channels, 1).map((value) => 2 * value);
  const weight = noise(channels * taps, 2);
  // x between other columns, as a joint projection leaves it
  const joint = sideBySide(ROWS, noise(ROWS * 3, 3), x, noise(ROWS * 2, 4));
  const stride = channels + 5;
  const conv: CausalConv = { weight: gpu.createBuffer(weight), channels, taps };
  const bounds = gpu.upload(Int32Array.from(START.flatMap((first, row) => [first, END[row]])), [ROWS, 2]);
  return { gpu, x, weight, stride, conv, bounds, view: { data: gpu.upload(joint, [ROWS, stride]), stride, offset: 3 } };
}

describe('causal convolution', () => {
  it.each([[1, 2], [7, 4], [66, 4], [5, 3]])('%i channels, %i taps: output and input gradient equal the plain ones', async (channels, taps) => {
    const { gpu, x, weight, stride, conv, bounds, view } = setUp(channels, taps);
    const y = await gpu.readFloats(causalConvForward(gpu, view, conv, bounds));
    expect(maxAbsError(y, plainCausalConv(x, weight, taps, START))).toBeLessThan(TOLERANCE);
    const dy = noise(ROWS * channels, 5);
    const before = noise(ROWS * stride, 6);
    const dx = { data: gpu.upload(before, [ROWS, stride]), stride, offset: 2 };
    causalConvBackward(gpu, view, conv, bounds, gpu.upload(dy, [ROWS, channels]), dx);
    const expected = Float64Array.from(before);
    plainCausalConvGradient(x, weight, taps, START, dy).forEach((value, i) => (expected[Math.floor(i / channels) * stride + 2 + (i % channels)] = value));
    expect(maxAbsError(await gpu.readFloats(dx.data), expected)).toBeLessThan(TOLERANCE);
  });

  it('token by token, from windows after prompts of any length, goes on as the whole sequence does', async () => {
    const [channels, taps] = [6, 4];
    const { gpu, weight, stride, conv, view } = setUp(channels, taps);
    const samples = gpu.upload(Int32Array.from(STARTS.flatMap((start, i) => [start, start + LENGTHS[i]])), [LENGTHS.length, 2]);
    const prompts = causalConvWindows(gpu, view, conv, samples);
    const joint = await gpu.readFloats(view.data);
    const owners = [5, 0, 2, 1, 5];
    const windows = gatherRows(gpu, prompts, gpu.upload(Int32Array.from(owners), [owners.length]));
    const rest = 5;
    const tokens = noise(rest * owners.length * channels, 9);
    const seen = owners.map((owner) => {
      const rows = Array.from({ length: LENGTHS[owner] }, (_, i) => (STARTS[owner] + i) * stride + 3);
      return rows.flatMap((at) => [...joint.subarray(at, at + channels)]);
    });
    for (let t = 0; t < rest; t++) {
      const x = tokens.subarray(t * owners.length * channels, (t + 1) * owners.length * channels);
      const y = await gpu.readFloats(causalConvStep(gpu, { data: gpu.upload(x, [owners.length, channels]), stride: channels, offset: 0 }, conv, windows));
      owners.forEach((_, s) => {
        seen[s].push(...x.subarray(s * channels, (s + 1) * channels));
        const whole = plainCausalConv(seen[s], weight, taps, new Array<number>(seen[s].length / channels).fill(0));
        expect(maxAbsError(y.subarray(s * channels, (s + 1) * channels), whole.subarray(-channels))).toBeLessThan(TOLERANCE);
      });
    }
  });

  it('a convolution without memory is refused', () => {
    const { gpu, conv, bounds, view } = setUp(2, 4);
    expect(() => causalConvForward(gpu, view, { ...conv, taps: 1 }, bounds)).toThrow(/Invariant violation.*1 taps/);
  });
});
