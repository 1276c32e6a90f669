import { describe, expect, it } from 'vitest';
import { geluBackward, geluForward, swigluBackward, swigluForward, type GeluKind } from '../../src/kernels/activation.ts';
import { plainGeluExact, plainGeluQuick, plainGeluTanh, plainSilu, slope } from '../reference/activation.ts';
import { noise, relativeError, useGpu } from './open.ts';

const gpuOf = useGpu();

/** Largest |actual − expected| / max(1, |expected|). */
function worst(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    most = Math.max(most, Number.isFinite(actual[i]) ? Math.abs(actual[i] - expected[i]) / Math.max(1, Math.abs(expected[i])) : Infinity);
  }
  return most;
}

/** Dense around 0, then far tails where exponentials overflow or vanish. */
const ARGUMENTS = Float32Array.of(...Array.from({ length: 1201 }, (_, i) => (i - 600) / 75), -1000, -120, -88.8, -50, -20, 20, 50, 88.8, 120, 1000, 0, -0, 1e-20, -1e-20);

describe('GELU', () => {
  // tanh and exp of a shader may be off by a few units in the last place; the erf polynomial by 1.5e-7, which x / 2 scales.
  const forms: [GeluKind, (x: number) => number, number][] = [['geluTanh', plainGeluTanh, 2e-6], ['geluExact', plainGeluExact, 1.5e-6], ['geluQuick', plainGeluQuick, 1e-6]];

  it.each(forms)('%s: value and slope equal the plain ones, tails included', async (kind, plain, tolerance) => {
    const gpu = gpuOf();
    const x = gpu.upload(ARGUMENTS, [ARGUMENTS.length]);
    const dy = noise(ARGUMENTS.length, 2);
    const y = await gpu.readFloats(geluForward(gpu, kind, x));
    const dx = await gpu.readFloats(geluBackward(gpu, kind, x, gpu.upload(dy, [dy.length])));
    expect(worst(y, Float64Array.from(ARGUMENTS, plain))).toBeLessThan(tolerance);
    expect(worst(dx, Float64Array.from(ARGUMENTS, (value, i) => dy[i] * slope(plain, value)))).toBeLessThan(tolerance);
  });

  it('tanh and erf differ where they should: by about 4.7e-4 at most', async () => {
    const gpu = gpuOf();
    const x = gpu.upload(ARGUMENTS, [ARGUMENTS.length]);
    const apart = worst(await gpu.readFloats(geluForward(gpu, 'geluTanh', x)), await gpu.readFloats(geluForward(gpu, 'geluExact', x)));
    expect(apart).toBeGreaterThan(3e-4);
    expect(apart).toBeLessThan(6e-4);
  });
});

describe('SwiGLU', () => {
  it('value and both gradients equal the plain ones, tails included', async () => {
    const gpu = gpuOf();
    const n = ARGUMENTS.length;
    const up = noise(n, 3);
    const dy = noise(n, 4);
    const [gate, upT, dyT] = [ARGUMENTS, up, dy].map((values) => gpu.upload(values, [n]));
    const y = await gpu.readFloats(swigluForward(gpu, gate, upT));
    const { dGate, dUp } = swigluBackward(gpu, gate, upT, dyT);
    expect(worst(y, Float64Array.from(ARGUMENTS, (value, i) => plainSilu(value) * up[i]))).toBeLessThan(1e-6);
    expect(worst(await gpu.readFloats(dGate), Float64Array.from(ARGUMENTS, (value, i) => dy[i] * up[i] * slope(plainSilu, value)))).toBeLessThan(1e-6);
    expect(worst(await gpu.readFloats(dUp), Float64Array.from(ARGUMENTS, (value, i) => dy[i] * plainSilu(value)))).toBeLessThan(1e-6);
  });

  it('more values than one dispatch dimension holds are all computed', async () => {
    const gpu = gpuOf();
    const n = 65_535 * 64 + 77;
    const gate = new Float32Array(n).fill(1);
    gate[n - 1] = 3;
    const y = await gpu.readFloats(swigluForward(gpu, gpu.upload(gate, [n]), gpu.upload(new Float32Array(n).fill(2), [n])));
    expect(relativeError([y[0], y[65_535 * 64], y[n - 2], y[n - 1]], [1, 1, 1, 3].map((value) => 2 * plainSilu(value)))).toBeLessThan(1e-6);
    expect(y.indexOf(0)).toBe(-1);
  });
});
