import { describe, expect, it } from 'vitest';
import { deltaGatesBackward, deltaGatesForward } from '../../src/kernels/delta-gates.ts';
import { gatedNormBackward, gatedNormForward } from '../../src/kernels/gated-norm.ts';
import { centralDifferences, dot } from '../reference/differences.ts';
import { plainBeta, plainDecay, plainGatedNorm, plainGatedNormGradient } from '../reference/delta-gates.ts';
import { maxAbsError, sideBySide } from './delta-cases.ts';
import { noise, relativeError, useGpu } from './open.ts';

const TOLERANCE = 2e-6;
/** WGSL lets exp(x) be off by 3 + 2 |x| units in the last place: 2e-6 at 15, and g is a product of two. */
const DECAY_TOLERANCE = 1e-5;

describe.each(['rasterizer', 'gpu'] as const)('shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);

  it('gates and their gradients equal the plain ones, in columns of a joint projection', async () => {
    const gpu = gpuOf();
    for (const [rows, heads] of [[1, 1], [37, 5]]) {
      const [a, b] = [noise(rows * heads, 1).map((value) => 12 * value), noise(rows * heads, 2).map((value) => 12 * value)];
      const [aLog, dtBias] = [noise(heads, 3).map((value) => 2 * value), noise(heads, 4).map((value) => 3 * value)];
      const [dG, dBeta] = [noise(rows * heads, 5), noise(rows * heads, 6)];
      const stride = 2 * heads + 3;
      const data = gpu.upload(sideBySide(rows, noise(rows, 7), b, noise(rows * 2, 8), a), [rows, stride]);
      const [aView, bView] = [{ data, stride, offset: heads + 3 }, { data, stride, offset: 1 }];
      const weights = { aLog: gpu.createBuffer(aLog), dtBias: gpu.createBuffer(dtBias), heads };
      const gates = deltaGatesForward(gpu, aView, bView, rows, weights);
      // relative to each value: a head that forgets little must forget exactly that little
      const [g, expectedG] = [await gpu.readFloats(gates.g), plainDecay(a, aLog, dtBias)];
      expect(Math.max(...expectedG.map((value, i) => Math.abs(g[i] / value - 1)))).toBeLessThan(DECAY_TOLERANCE);
      expect(maxAbsError(await gpu.readFloats(gates.beta), plainBeta(b))).toBeLessThan(TOLERANCE);

      const before = noise(rows * (heads + 2), 9);
      const outputs = [1, 0].map((offset) => ({ data: gpu.upload(before, [rows, heads + 2]), stride: heads + 2, offset }));
      deltaGatesBackward(gpu, aView, bView, rows, weights, { g: gpu.upload(dG, [rows, heads]), beta: gpu.upload(dBeta, [rows, heads]) }, outputs[0], outputs[1]);
      const expected = [centralDifferences((x) => dot(plainDecay(x, aLog, dtBias), dG), a), centralDifferences((x) => dot(plainBeta(x), dBeta), b)];
      for (const [i, { data: written, stride: width, offset }] of outputs.entries()) {
        const joint = Float64Array.from(before);
        expected[i].forEach((value, at) => (joint[Math.floor(at / heads) * width + offset + (at % heads)] = value));
        expect(relativeError(await gpu.readFloats(written), joint), i === 0 ? 'da' : 'db').toBeLessThan(DECAY_TOLERANCE);
      }
    }
  });

  it.each([[1, 1, 4], [5, 3, 24], [3, 2, 131]])('gated norm over %i rows, %i heads of %i: output and gradients equal the plain ones', async (rows, heads, size) => {
    const gpu = gpuOf();
    const eps = 1e-6;
    const width = heads * size;
    const [x, z, dy] = [noise(rows * width, 1), noise(rows * width, 2).map((value) => 4 * value), noise(rows * width, 3)];
    const w = noise(size, 4).map((value) => 1 + value);
    const norm = { weight: gpu.createBuffer(w), size, eps };
    const stride = width + 7;
    const zView = { data: gpu.upload(sideBySide(rows, noise(rows * 5, 5), z, noise(rows * 2, 6)), [rows, stride]), stride, offset: 5 };
    const xt = gpu.upload(x, [rows, width]);
    expect(relativeError(await gpu.readFloats(gatedNormForward(gpu, xt, zView, norm)), plainGatedNorm(x, z, w, eps))).toBeLessThan(TOLERANCE);
    const before = noise(rows * stride, 7);
    const dz = { data: gpu.upload(before, [rows, stride]), stride, offset: 1 };
    const dx = gatedNormBackward(gpu, xt, zView, norm, gpu.upload(dy, [rows, width]), dz);
    const expected = plainGatedNormGradient(x, z, w, eps, dy);
    expect(relativeError(await gpu.readFloats(dx), expected.dx), 'dx').toBeLessThan(TOLERANCE);
    const joint = Float64Array.from(before);
    expected.dz.forEach((value, i) => (joint[Math.floor(i / width) * stride + 1 + (i % width)] = value));
    expect(relativeError(await gpu.readFloats(dz.data), joint), 'dz').toBeLessThan(TOLERANCE);
  });
});
