import { describe, expect, it } from 'vitest';
import { attentionBackward, attentionForward } from '../../src/kernels/attention.ts';
import { viewOf } from '../../src/kernels/matmul.ts';
import { plainAttention, plainAttentionGradient } from '../reference/attention.ts';
import { attentionError, TOLERANCE, variantOf } from './attention-case.ts';
import { noise, useGpu } from './open.ts';

/** Lengths of a prompt and of the answers that continue it. */
interface Group {
  prompt: number;
  answers: readonly number[];
}

/** A short prompt, one without answers, and one longer than a tile whose answers straddle tiles. */
const GROUPS: Group[] = [{ prompt: 5, answers: [9, 1, 20] }, { prompt: 3, answers: [] }, { prompt: 70, answers: [33, 40, 2] }, { prompt: 1, answers: [4] }];

/** One copy of each prompt: bounds and prefixes of the rows, and which rows a copy of its own for each answer would consist of. */
function share(groups: readonly Group[]) {
  const bounds: number[] = [];
  const prefixes: number[] = [];
  const copies: number[][] = [];
  for (const { prompt, answers } of groups) {
    const first = bounds.length / 2;
    const end = first + answers.reduce((a, b) => a + b, prompt);
    const promptRows = Array.from({ length: prompt }, (_, i) => first + i);
    for (let i = 0; i < prompt; i++) {
      bounds.push(first, end);
      prefixes.push(first, first);
    }
    if (answers.length === 0) copies.push(promptRows);
    for (const length of answers) {
      const start = bounds.length / 2;
      copies.push([...promptRows, ...Array.from({ length }, (_, i) => start + i)]);
      for (let i = 0; i < length; i++) {
        bounds.push(start, start + length);
        prefixes.push(first, first + prompt);
      }
    }
  }
  return { rows: bounds.length / 2, bounds: Int32Array.from(bounds), prefixes: Int32Array.from(prefixes), copies };
}

describe.each(['tiled', '8 rows'])('a shared prompt in the form "%s"', (name) => {
  const gpuOf = useGpu();
  const variant = variantOf(name);

  it('equals a copy for each answer', async () => {
    const gpu = gpuOf();
    const size = { heads: 4, kvHeads: 2, headDim: 64 };
    const { heads, kvHeads, headDim } = size;
    const { rows, bounds, prefixes, copies } = share(GROUPS);
    const [width, kvWidth] = [heads * headDim, kvHeads * headDim];
    const [q, k, v, dO] = [noise(rows * width, 1).map((value) => 2 * value), noise(rows * kvWidth, 2), noise(rows * kvWidth, 3), noise(rows * width, 4)];
    const expected = { output: new Float64Array(rows * width), dq: new Float64Array(rows * width), dk: new Float64Array(rows * kvWidth), dv: new Float64Array(rows * kvWidth) };
    const known = new Set<number>();
    for (const copy of copies) {
      const gather = (values: Float32Array, columns: number) => Float32Array.from(copy.flatMap((row) => [...values.subarray(row * columns, (row + 1) * columns)]));
      // The gradient of a prompt's output counts once, in its first copy.
      const counted = dO.map((value, i) => (known.has(Math.floor(i / width)) ? 0 : value));
      const shape = { rows: copy.length, ...size, causal: true };
      const inputs = { q: gather(q, width), k: gather(k, kvWidth), v: gather(v, kvWidth), start: copy.map(() => 0), end: copy.map(() => copy.length) };
      const gradients = plainAttentionGradient(inputs, shape, gather(counted, width));
      const output = plainAttention(inputs, shape);
      copy.forEach((row, t) => {
        for (let i = 0; i < width; i++) {
          expected.output[row * width + i] = output[t * width + i];
          expected.dq[row * width + i] += gradients.dq[t * width + i];
        }
        for (let i = 0; i < kvWidth; i++) {
          expected.dk[row * kvWidth + i] += gradients.dk[t * kvWidth + i];
          expected.dv[row * kvWidth + i] += gradients.dv[t * kvWidth + i];
        }
        known.add(row);
      });
    }
    const inputs = {
      q: viewOf(gpu.upload(q, [rows, width])), k: viewOf(gpu.upload(k, [rows, kvWidth])), v: viewOf(gpu.upload(v, [rows, kvWidth])),
      bounds: gpu.upload(bounds, [rows, 2]), prefixes: gpu.upload(prefixes, [rows, 2]),
    };
    const shape = { rows, ...size, causal: true };
    const result = attentionForward(gpu, inputs, shape, variant);
    const dv = gpu.empty([rows, kvWidth]);
    const { dq, dk } = attentionBackward(gpu, inputs, shape, result, gpu.upload(dO, [rows, width]), viewOf(dv), variant);
    for (const [what, tensor] of Object.entries({ output: result.output, dq, dk, dv })) {
      expect(attentionError(await gpu.readFloats(tensor), expected[what as keyof typeof expected]), what).toBeLessThan(TOLERANCE);
    }
  });

  it('is refused where rows see what follows', () => {
    const gpu = gpuOf();
    const view = viewOf(gpu.empty([2, 32]));
    const bounds = gpu.upload(Int32Array.of(0, 2, 0, 2), [2, 2]);
    expect(() => attentionForward(gpu, { q: view, k: view, v: view, bounds, prefixes: bounds }, { rows: 2, heads: 1, kvHeads: 1, headDim: 32, causal: false }, variant)).toThrow(/only causal/);
  });
});
