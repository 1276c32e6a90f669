import { describe, expect, it } from 'vitest';
import { adamWStep } from '../../src/kernels/adamw.ts';
import { plainAdamWStep } from '../reference/adamw.ts';
import { noise, relativeError, useGpu } from './open.ts';

const gpuOf = useGpu();
const SETTINGS = { learningRate: 3e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

interface Case {
  name: string;
  count: number;
  change: Partial<typeof SETTINGS>;
  /** Gradient size of a step. */
  size: (step: number) => number;
}

const CASES: Case[] = [
  { name: 'clipping in force on every step', count: 4099, change: {}, size: (step) => step },
  { name: 'clipping on, gradients too small for it', count: 131, change: {}, size: () => 1e-3 },
  { name: 'clipping in force on some steps', count: 997, change: { maxGradNorm: 0.5 }, size: (step) => (step % 2 ? 1e-3 : 1) },
  { name: 'no clipping, strong decay', count: 257, change: { maxGradNorm: 0, weightDecay: 0.5, learningRate: 0.05 }, size: () => 4 },
  { name: 'no decay, other betas', count: 63, change: { weightDecay: 0, beta1: 0.8, beta2: 0.95, epsilon: 1e-6 }, size: () => 0.1 },
  { name: 'learning rate 0, as on the first step of a warm-up', count: 5, change: { learningRate: 0 }, size: () => 1 },
  { name: 'one value', count: 1, change: {}, size: () => 1 },
];

describe('AdamW', () => {
  it.each(CASES)('$name: six steps follow the plain formula', async ({ count, change, size }) => {
    const gpu = gpuOf();
    const settings = { ...SETTINGS, ...change };
    const start = noise(count, 1);
    const plain = { weights: Float64Array.from(start), m: new Float64Array(count), v: new Float64Array(count) };
    const [weights, gradients, m, v] = [start, new Float32Array(count), new Float32Array(count), new Float32Array(count)].map((values) => gpu.createBuffer(values));
    for (let step = 1; step <= 6; step++) {
      const g = noise(count, 10 + step).map((value) => value * size(step));
      gpu.writeBuffer(gradients, g);
      const norm = adamWStep(gpu, { count, weights, gradients, m, v }, { ...settings, step });
      const expectedNorm = plainAdamWStep(plain, g, { ...settings, step });
      expect((await gpu.readFloats(norm))[0] / expectedNorm, 'norm before clipping').toBeCloseTo(1, 5);
      expect(new Set(await gpu.readFloats(gradients, count)), 'gradients are cleared').toEqual(new Set([0]));
      norm.dispose();
    }
    // Rounding of beta, squares and the norm, 6e-8 each, over six steps.
    expect(relativeError(await gpu.readFloats(m, count), plain.m), 'm').toBeLessThan(1e-6);
    expect(relativeError(await gpu.readFloats(v, count), plain.v), 'v').toBeLessThan(1e-6);
    const after = await gpu.readFloats(weights, count);
    // What the steps moved, not the weight, is the yardstick: half a unit in the last place of weights near 1 on each step and 2e-6 of the way.
    const way = Float64Array.from(start, (value, i) => plain.weights[i] - value);
    const error = way.reduce((most, _, i) => Math.max(most, Math.abs(after[i] - plain.weights[i])), 0);
    expect(error).toBeLessThan(6 * 6e-8 + 2e-6 * way.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    [weights, gradients, m, v].forEach((buffer) => gpu.destroyBuffer(buffer));
  });

  it('the first step takes 1 − beta2 in full precision', async () => {
    const gpu = gpuOf();
    const [weights, gradients, m, v] = [0, 2, 0, 0].map((value) => gpu.createBuffer(Float32Array.of(value)));
    adamWStep(gpu, { count: 1, weights, gradients, m, v }, { ...SETTINGS, weightDecay: 0, maxGradNorm: 0, step: 1 });
    // Bias correction undoes the shares exactly, so |update| = learning rate; 1 − 0.999 in float32 would be off by 2.3e-5.
    expect(Math.abs((await gpu.readFloats(weights, 1))[0] / -3e-3 - 1)).toBeLessThan(1e-6);
  });
});
