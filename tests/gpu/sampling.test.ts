import { describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { chooseTokens, seenWords } from '../../src/kernels/sample.ts';
import { plainChoice, plainGreedy, plainProbabilities, type PlainChoiceSettings } from '../reference/sampling.ts';
import { noise, useGpu } from './open.ts';

const PLAIN: PlainChoiceSettings = { temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1, seed: 7 };
/** Step at which the sequences began. */
const START = 5;

/** One choice for each row of logits; row i has the counter first + i. */
async function choose(gpu: Gpu, logits: Float32Array, vocabulary: number, settings: PlainChoiceSettings & { suppressId?: number }, step = 0, first = 0, seen: Set<number>[] | null = null, greedy = false): Promise<number[]> {
  const rows = logits.length / vocabulary;
  const words = seenWords(vocabulary);
  const bits = new Int32Array(rows * words);
  seen?.forEach((ids, row) => ids.forEach((id) => (bits[row * words + (id >>> 5)] |= 1 << (id & 31))));
  const sequences = gpu.upload(Int32Array.from({ length: 4 * rows }, (_, i) => [i >> 2, (i >> 2) + first, START, 0][i % 4]), [rows, 4]);
  const seenT = seen && gpu.upload(bits, [rows, words]);
  const logitsT = gpu.upload(logits, [rows, vocabulary]);
  const ids = chooseTokens(gpu, logitsT, sequences, seenT, START + step, { draw: greedy ? null : settings, repetitionPenalty: settings.repetitionPenalty });
  const values = [...(await gpu.readInts(ids))];
  if (seenT) {
    const after = await gpu.readInts(seenT);
    values.forEach((id, row) => expect((after[row * words + (id >>> 5)] >>> (id & 31)) & 1, 'the choice was seen').toBe(1));
  }
  for (const tensor of [sequences, seenT, logitsT, ids]) tensor?.dispose();
  return values;
}

describe.each(['rasterizer', 'gpu'] as const)('sampling shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);
  const vocabulary = 1003;
  const rows = 24;
  const logits = noise(rows * vocabulary, 1).map((value) => value * 9);

  it.each<Partial<PlainChoiceSettings>>([
    {},
    { temperature: 0.3 },
    { temperature: 3, seed: 4294967295 },
    { topK: 1 },
    { topK: 40 },
    { topP: 0.9 },
    { topP: 0.05, temperature: 2 },
    { topK: 30, topP: 0.6, temperature: 1.5 },
    { topK: 5000, topP: 0.999 },
  ])('the same Philox words give the same tokens as the plain choice: %o', async (changed) => {
    const settings = { ...PLAIN, ...changed };
    const expected = Array.from({ length: rows }, (_, row) => plainChoice(logits.subarray(row * vocabulary, (row + 1) * vocabulary), settings, 100 + row, 3));
    expect(await choose(gpuOf(), logits, vocabulary, settings, 3, 100)).toEqual(expected);
  });

  it('never draws the suppressed token, and the others as if it were impossible', async () => {
    const best = Array.from({ length: rows }, (_, row) => logits.subarray(row * vocabulary, (row + 1) * vocabulary)).map((row) => row.indexOf(Math.max(...row)));
    const row = 5;
    const without = logits.slice(row * vocabulary, (row + 1) * vocabulary);
    const settings = { ...PLAIN, topP: 0.7, suppressId: best[row] };
    const drawn = await choose(gpuOf(), without, vocabulary, settings, 2, 9);
    without[best[row]] = -3e38;
    expect(drawn).toEqual([plainChoice(without, settings, 9, 2)]);
    expect(drawn[0]).not.toBe(best[row]);
  });

  it.each([0.5, 1.3, 4])('penalty %f holds for what was seen, in sampling and in greedy choices', async (repetitionPenalty) => {
    const settings = { ...PLAIN, repetitionPenalty, topP: 0.8 };
    const rowOf = (row: number) => logits.subarray(row * vocabulary, (row + 1) * vocabulary);
    // The highest and the lowest logits are among what was seen, signs of both kinds.
    const seen = Array.from({ length: rows }, (_, row) => {
      const order = Array.from(rowOf(row), (_value, id) => id).sort((a, b) => rowOf(row)[b] - rowOf(row)[a]);
      return new Set([...order.slice(0, 20), ...order.slice(-300), 0, vocabulary - 1]);
    });
    const expected = seen.map((ids, row) => plainChoice(rowOf(row), settings, row, 0, ids));
    expect(await choose(gpuOf(), logits, vocabulary, settings, 0, 0, seen)).toEqual(expected);
    const greedy = seen.map((ids, row) => plainGreedy(rowOf(row), repetitionPenalty, ids));
    expect(await choose(gpuOf(), logits, vocabulary, settings, 0, 0, seen, true)).toEqual(greedy);
  });

  it('draws each token as often as its probability says, ties included', async () => {
    const gpu = gpuOf();
    const few = Float32Array.of(1, -2, 1, 0.5, -8, 1, 0, 0.5);
    const settings = { ...PLAIN, topK: 4, topP: 0.9, temperature: 0.8, seed: 3 };
    const probabilities = plainProbabilities(few, settings);
    // The fourth most likely token has an equal, so five remain; all are needed to reach 0.9.
    expect(probabilities.map((p) => p > 0)).toEqual([true, false, true, true, false, true, false, true]);
    const draws = 2000;
    const repeated = new Float32Array(draws * few.length).map((_, i) => few[i % few.length]);
    const counts = new Array<number>(few.length).fill(0);
    for (const id of await choose(gpu, repeated, few.length, settings)) counts[id]++;
    let chiSquare = 0;
    probabilities.forEach((p, id) => {
      if (p === 0) expect(counts[id]).toBe(0);
      else chiSquare += (counts[id] - draws * p) ** 2 / (draws * p);
    });
    // 18.5 is exceeded by one of a thousand fair samplers with five outcomes.
    expect(chiSquare).toBeLessThan(18.5);
  });

  it('finds the threshold among 151,936 tokens', async () => {
    const size = 151_936;
    const wide = noise(size, 5).map((value) => value * 4);
    for (const changed of [{ topP: 0.7 }, { topK: 50 }, { topP: 1 }]) {
      const settings = { ...PLAIN, ...changed, seed: 11 };
      expect(await choose(gpuOf(), wide, size, settings, 9, 1), JSON.stringify(changed)).toEqual([plainChoice(wide, settings, 1, 9)]);
    }
  });

  it('a certain token is always drawn, and equal logits give every id', async () => {
    const certain = new Float32Array(4 * 64);
    for (let row = 0; row < 4; row++) certain[row * 64 + 63 - row] = 1000;
    expect(await choose(gpuOf(), certain, 64, { ...PLAIN, topP: 0.5 })).toEqual([63, 62, 61, 60]);
    const drawn = new Set(await choose(gpuOf(), new Float32Array(200 * 8), 8, { ...PLAIN, topP: 0.01, topK: 2 }));
    expect(drawn.size).toBe(8);
  });
});
