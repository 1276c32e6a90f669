import { describe, expect, it } from 'vitest';
import { argmaxToken } from '../../src/kernels/argmax.ts';
import { attentionDecode } from '../../src/kernels/attention-decode.ts';
import { uploadWeight } from '../../src/kernels/matmul.ts';
import { packWeight } from '../../src/quantization/packed-weight.ts';
import { plainAttention } from '../reference/attention.ts';
import { noise, relativeError, useGpu } from './open.ts';

describe.each(['rasterizer', 'gpu'] as const)('decoding shaped for a %s', (profile) => {
  const gpuOf = useGpu(profile);

  it.each([
    { heads: 2, kvHeads: 2, headDim: 32 },
    { heads: 2, kvHeads: 1, headDim: 80 },
    { heads: 4, kvHeads: 1, headDim: 128 },
    { heads: 4, kvHeads: 2, headDim: 256 },
  ])('$heads heads over $kvHeads of $headDim: one query per sequence over shared prompts and rows of its own', async ({ heads, kvHeads, headDim }) => {
    const gpu = gpuOf();
    const width = kvHeads * headDim;
    // Per sequence: first row and length of its prompt, then of its own; the second and third share a prompt, the last is longer than a workgroup.
    const spans = Int32Array.of(0, 1, 0, 0, 1, 37, 16, 3, 1, 37, 32, 16, 40, 0, 50, 5, 5, 300, 48, 9);
    const sequences = spans.length / 4;
    const q = noise(sequences * heads * headDim, 1).map((value) => value * 4);
    const [promptRows, ownRows] = [305, 64];
    const [promptK, promptV, ownK, ownV] = [noise(promptRows * width, 2), noise(promptRows * width, 3), noise(ownRows * width, 4), noise(ownRows * width, 5)];
    const cached = (keys: Float32Array, values: Float32Array, rows: number) => ({ keys: gpu.upload(keys, [rows, width]), values: gpu.upload(values, [rows, width]) });
    const output = attentionDecode(
      gpu,
      gpu.upload(q, [sequences, heads * headDim]),
      cached(promptK, promptV, promptRows),
      cached(ownK, ownV, ownRows),
      gpu.upload(spans, [sequences, 4]),
      { heads, kvHeads, headDim },
    );
    const actual = await gpu.readFloats(output);
    for (let s = 0; s < sequences; s++) {
      const [promptStart, promptLength, ownStart, ownLength] = spans.subarray(4 * s, 4 * s + 4);
      const length = promptLength + ownLength;
      const rows = (values: Float32Array, start: number, count: number) => [...values.subarray(start * width, (start + count) * width)];
      const joined = (prompt: Float32Array, own: Float32Array) => Float32Array.from([...rows(prompt, promptStart, promptLength), ...rows(own, ownStart, ownLength)]);
      const query = q.subarray(s * heads * headDim, (s + 1) * heads * headDim);
      // The query as last row of a causal sequence; the rows before it do not matter.
      const padded = new Float32Array(length * heads * headDim);
      padded.set(query, (length - 1) * heads * headDim);
      const shape = { rows: length, heads, kvHeads, headDim, causal: true };
      const plain = plainAttention({ q: padded, k: joined(promptK, ownK), v: joined(promptV, ownV), start: new Array<number>(length).fill(0), end: new Array<number>(length).fill(length) }, shape);
      // As for attention over packed rows.
      expect(relativeError(actual.subarray(s * heads * headDim, (s + 1) * heads * headDim), plain.subarray((length - 1) * heads * headDim)), `sequence ${s}`).toBeLessThan(5e-6);
    }
  });

  it('the highest logit wins across pieces, the lowest id among equals', async () => {
    const gpu = gpuOf();
    const [vocabulary, size] = [203, 4];
    const table = new Float32Array(vocabulary * size);
    // Row n answers to component 0…3 of the hidden state; the winners lie in different pieces, three of them tied.
    for (const [row, component, value] of [[0, 0, -1], [202, 0, 5], [70, 1, 3], [131, 1, 3], [71, 1, 3], [130, 2, 2], [129, 2, 1.5], [0, 3, 1]]) table[row * size + component] = value;
    const cut = 131;
    const parts = [[0, cut], [cut, vocabulary]].map(([first, last]) => ({
      firstRow: first,
      weight: uploadWeight(gpu, packWeight('f32', table.slice(first * size, last * size), last - first, size)),
    }));
    const hidden = Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, -1);
    const head = { rows: vocabulary, cols: size, parts };
    const { ids, sums } = argmaxToken(gpu, gpu.upload(hidden, [6, size]), head, undefined, true);
    // All logits of row 4 are 0; in row 5 only id 0 is below 0.
    const expected = [202, 70, 130, 0, 0, 1];
    expect([...(await gpu.readInts(ids))]).toEqual(expected);
    const logits = Array.from({ length: 6 }, (_, row) => Array.from({ length: vocabulary }, (_, id) => hidden.subarray(row * size, (row + 1) * size).reduce((sum, x, i) => sum + x * table[id * size + i], 0)));
    const plain = logits.map((row, i) => row.reduce((sum, logit) => sum + Math.exp(logit - row[expected[i]]), 0));
    expect(relativeError(await gpu.readFloats(sums!), plain)).toBeLessThan(1e-6);
    expect(argmaxToken(gpu, gpu.upload(hidden, [6, size]), head).sums).toBeNull();
  });
});
