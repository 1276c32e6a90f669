import { describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import type { GpuTable } from '../../src/kernels/embedding.ts';
import { tokenLogProbs, weightedSum } from '../../src/kernels/log-probs.ts';
import { uploadWeight } from '../../src/kernels/matmul.ts';
import { packWeight, unpack, type WeightKind } from '../../src/quantization/packed-weight.ts';
import { plainLogProbs } from '../reference/log-probs.ts';
import { noise, relativeError, useGpu } from './open.ts';

/** A logit is a float32 sum of `SIZE` products, magnitude up to about 10: an error near 1e-6 of it moves −log p by as much. */
const TOLERANCE = 5e-6;
const SIZE = 36;
const VOCABULARY = 337;

function headOf(gpu: Gpu, kind: WeightKind, cuts: number[]): { head: GpuTable; plain: Float32Array } {
  const values = noise(VOCABULARY * SIZE, 1);
  const starts = [0, ...cuts];
  const plain = new Float32Array(values.length);
  const parts = starts.map((firstRow, i) => {
    const last = starts[i + 1] ?? VOCABULARY;
    const packed = packWeight(kind, values.subarray(firstRow * SIZE, last * SIZE), last - firstRow, SIZE);
    plain.set(unpack(packed), firstRow * SIZE);
    return { firstRow, weight: uploadWeight(gpu, packed) };
  });
  return { head: { rows: VOCABULARY, cols: SIZE, parts }, plain };
}

describe.each(['rasterizer', 'gpu'] as const)('token log-probabilities shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);

  it.each<{ kind: WeightKind; cuts: number[]; rows: number; maxLogits?: number; pieces: number }>([
    { kind: 'bf16', cuts: [], rows: 7, pieces: 1 },
    { kind: 'bf16', cuts: [], rows: 7, maxLogits: 7 * 64, pieces: 6 },
    { kind: 'bf16', cuts: [101, 102], rows: 1, maxLogits: 64, pieces: 7 },
    { kind: 'f32', cuts: [200], rows: 19, maxLogits: 19 * 128, pieces: 4 },
  ])('$kind head cut before $cuts, $rows targets, $pieces pieces: values and gradient equal the plain ones', async ({ kind, cuts, rows, maxLogits, pieces }) => {
    const gpu = gpuOf();
    const { head, plain } = headOf(gpu, kind, cuts);
    const hidden = noise(rows * SIZE, 2).map((value) => 3 * value);
    // The first and last entries of the vocabulary and of pieces.
    const targets = Int32Array.from({ length: rows }, (_, i) => [0, VOCABULARY - 1, 63, 64, 101, 102, 200, 127, 128][i % 9]);
    const rowWeights = noise(rows, 3);
    const expected = plainLogProbs(hidden, plain, SIZE, VOCABULARY, targets, rowWeights);
    const before = gpu.dispatches;
    const result = tokenLogProbs(gpu, gpu.upload(hidden, [rows, SIZE]), head, gpu.upload(targets, [rows]), { maxLogits });
    expect(gpu.dispatches - before, 'a product and an update for each piece').toBe(2 * pieces);
    expect(relativeError(await gpu.readFloats(result.nll), expected.nll), 'nll').toBeLessThan(TOLERANCE);
    const weightsT = gpu.upload(rowWeights, [rows]);
    const sum = await gpu.readFloats(weightedSum(gpu, result.nll, weightsT));
    expect(sum[0]).toBeCloseTo(expected.nll.reduce((all, value, i) => all + value * rowWeights[i], 0), 4);
    expect(relativeError(await gpu.readFloats(result.backward(weightsT)), expected.dHidden), 'gradient').toBeLessThan(TOLERANCE);
    result.dispose();
    head.parts.forEach(({ weight }) => gpu.destroyBuffer(weight.buffer));
  });

  it.each([
    { temperature: 1, maxLogits: undefined },
    { temperature: 0.7, maxLogits: 9 * 64 },
    { temperature: 2.5, maxLogits: undefined },
  ])('at temperature $temperature: entropy, hits, mean logit and gradient equal the plain ones', async ({ temperature, maxLogits }) => {
    const gpu = gpuOf();
    const { head, plain } = headOf(gpu, 'f32', [101]);
    const rows = 9;
    const hidden = noise(rows * SIZE, 7).map((value, i) => (i < SIZE ? 60 : 3) * value);
    const rowWeights = noise(rows, 8);
    // The most likely token of every second row, else an arbitrary one.
    const best = Array.from({ length: rows }, (_, t) => {
      const logits = Array.from({ length: VOCABULARY }, (_unused, n) => plain.subarray(n * SIZE, (n + 1) * SIZE).reduce((sum, value, i) => sum + value * hidden[t * SIZE + i], 0));
      return logits.indexOf(Math.max(...logits));
    });
    const targets = Int32Array.from(best, (id, t) => (t % 2 === 0 ? id : (id + 40) % VOCABULARY));
    const expected = plainLogProbs(hidden, plain, SIZE, VOCABULARY, targets, rowWeights, temperature);
    const result = tokenLogProbs(gpu, gpu.upload(hidden, [rows, SIZE]), head, gpu.upload(targets, [rows]), { temperature, maxLogits, statistics: true });
    const scores = await gpu.readFloats(result.scores!);
    const column = (c: number) => Array.from({ length: rows }, (_, t) => scores[4 * t + c]);
    expect([...(await gpu.readFloats(result.nll))]).toEqual(column(0));
    expect(relativeError(column(0), expected.nll), 'nll').toBeLessThan(TOLERANCE);
    expect(relativeError(column(1), expected.entropy), 'entropy').toBeLessThan(2 * TOLERANCE);
    expect(column(2)).toEqual([...expected.top1]);
    expect([...expected.top1]).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1]);
    expect(relativeError(column(3).map((sum) => sum / VOCABULARY), expected.meanLogit), 'mean logit').toBeLessThan(TOLERANCE);
    expect(relativeError(await gpu.readFloats(result.backward(gpu.upload(rowWeights, [rows]))), expected.dHidden), 'gradient').toBeLessThan(2 * TOLERANCE);
    result.dispose();
  });

  it('a target tied with another token counts as a hit', async () => {
    const gpu = gpuOf();
    const weight = uploadWeight(gpu, packWeight('f32', Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0), 3, 4));
    const head = { rows: 3, cols: 4, parts: [{ firstRow: 0, weight }] };
    const result = tokenLogProbs(gpu, gpu.upload(Float32Array.of(2, 0, 0, 0, 2, 0, 0, 0), [2, 4]), head, gpu.upload(Int32Array.of(1, 2), [2]), { statistics: true });
    const scores = await gpu.readFloats(result.scores!);
    expect([scores[2], scores[6]]).toEqual([1, 0]);
    result.dispose();
  });

  it('logits in the hundreds neither overflow nor lose the certain token', async () => {
    const gpu = gpuOf();
    const { head, plain } = headOf(gpu, 'f32', []);
    const rows = 3;
    const hidden = noise(rows * SIZE, 4).map((value) => 100 * value);
    const targets = Int32Array.of(5, 150, 336);
    const expected = plainLogProbs(hidden, plain, SIZE, VOCABULARY, targets, [1, 1, 1]);
    const result = tokenLogProbs(gpu, gpu.upload(hidden, [rows, SIZE]), head, gpu.upload(targets, [rows]), { maxLogits: rows * 64 });
    expect(Math.max(...expected.nll)).toBeGreaterThan(100);
    expect(relativeError(await gpu.readFloats(result.nll), expected.nll)).toBeLessThan(TOLERANCE);
    // Errors of 1e-7 in logits near 500 are 5e-5 in the probabilities.
    expect(relativeError(await gpu.readFloats(result.backward(gpu.upload(Float32Array.of(1, 1, 1), [rows]))), expected.dHidden)).toBeLessThan(2e-4);
  });

  it('a weighted sum of many values is right', async () => {
    const gpu = gpuOf();
    const [values, weights] = [noise(5003, 5), noise(5003, 6)];
    const sum = await gpu.readFloats(weightedSum(gpu, gpu.upload(values, [5003]), gpu.upload(weights, [5003])));
    expect(Math.abs(sum[0] - values.reduce((all, value, i) => all + value * weights[i], 0))).toBeLessThan(1e-3);
  });
});
