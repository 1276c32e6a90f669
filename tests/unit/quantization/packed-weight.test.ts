import { expect, describe, test } from 'vitest';
import { toWeightSource } from '../../../src/checkpoint/tensor-values.ts';
import { bf16ToFloat32, float32ToBf16 } from '../../../src/quantization/bf16.ts';
import { dynamicMap } from '../../../src/quantization/dynamic-map.ts';
import { memoryBytes, packNf4, packWeight, unpack, type WeightKind } from '../../../src/quantization/packed-weight.ts';
import { openTensors } from '../checkpoint/fixture-files.ts';

const KINDS: WeightKind[] = ['nf4', 'int8', 'bf16', 'f32'];
/** Largest error as a part of the block's or row's largest magnitude. */
const LOSS: Record<WeightKind, number> = { nf4: 0.17, int8: 0.5 / 127 + 1e-6, bf16: 2 ** -8, f32: 0 };

function randomWeights(length: number, seed = 7): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1);
}

const asBytes = (values: Float32Array) => Buffer.from(values.buffer);

describe.each(KINDS)('%s', (kind) => {
  test.each([[3, 5], [37, 29], [64, 64], [300, 64]])('%i × %i unpacks to nearly the same weights', (rows, cols) => {
    const weights = randomWeights(rows * cols);
    const packed = packWeight(kind, weights, rows, cols);
    expect(packed).toMatchObject({ kind, rows, cols, bytes: memoryBytes(kind, rows, cols) });
    expect(packed.words.byteLength).toBe(packed.bytes);
    const back = unpack(packed);
    const worst = weights.reduce((most, weight, i) => Math.max(most, Math.abs(weight - back[i])), 0);
    expect(worst).toBeLessThanOrEqual(LOSS[kind]);
    if (kind !== 'f32') expect(worst).toBeGreaterThan(0);
  });

  test('bf16 bits give the same as the widened values', () => {
    const bits = float32ToBf16(randomWeights(40 * 48));
    expect(packWeight(kind, bits, 40, 48).words).toEqual(packWeight(kind, bf16ToFloat32(bits), 40, 48).words);
  });

  test('a wrong number of weights is our own fault', () => {
    expect(() => packWeight(kind, new Float32Array(5), 2, 3)).toThrow(/Invariant violation/);
  });
});

test('word layout of NF4, read as a kernel would', async () => {
  const file = 'tests/fixtures/nf4/matrices.safetensors';
  const fixture = await openTensors(file);
  const tensor = await fixture.readTensor('many_blocks_160x128/input');
  const { words, sections } = packNf4(toWeightSource(tensor, { file, field: 'input' }), 160, 128);
  const float = (word: number) => new Float32Array(words.buffer)[word];
  const code = new Float32Array((await fixture.readTensor('nf4_code')).bytes.buffer);
  const expected = new Float32Array((await fixture.readTensor('many_blocks_160x128/nested/dequant')).bytes.buffer);
  for (let n = 0; n < expected.length; n++) {
    const e = n & 7;
    const byte = (words[sections.codes + (n >> 3)] >>> (8 * (e >> 1))) & 255;
    const nibble = e & 1 ? byte & 15 : byte >> 4;
    const block = n >> 6;
    const q = (words[sections.absmaxQ + (block >> 2)] >>> (8 * (block & 3))) & 255;
    const absmax = Math.fround(Math.fround(float(sections.map + q) * float(sections.nestedAbsmax + (block >> 8))) + float(sections.offset));
    if (Math.fround(code[nibble] * absmax) !== expected[n]) expect.fail(`weight ${n}`);
  }
  expect(words.length).toBe(sections.map + 256);
});

test('word layout of int8 and bf16, read as a kernel would', () => {
  const weights = Float32Array.of(-1, 0.5, 1, 0.25, 2, 0, -2, 0.007874);
  const int8 = packWeight('int8', weights, 2, 4);
  // 63.5 and 31.75 of 127: halves go to the even neighbour.
  expect([...new Int8Array(int8.words.buffer, 0, 8)]).toEqual([-127, 64, 127, 32, 127, 0, -127, 0]);
  expect([...new Float32Array(int8.words.buffer, 8, 2)]).toEqual([Math.fround(1 / 127), Math.fround(2 / 127)]);
  expect(int8).toMatchObject({ sections: { codes: 0, scale: 2 } });
  const bf16 = packWeight('bf16', weights, 2, 4);
  expect(bf16.words[0]).toBe(0x3f00bf80);
});

test('a saved bitsandbytes weight holds the same bytes as ours', async () => {
  const saved = await openTensors('tests/fixtures/nf4/bnb_checkpoint_layout.safetensors');
  const inputs = await openTensors('tests/fixtures/nf4/matrices.safetensors');
  const input = new Float32Array((await inputs.readTensor('plain_48x96/input')).bytes.buffer);
  const { words, sections } = packNf4(input, 48, 96);
  const state = JSON.parse(new TextDecoder().decode((await saved.readTensor('weight.quant_state.bitsandbytes__nf4')).bytes)) as { nested_offset: number };
  const bytes = new Uint8Array(words.buffer);
  expect(bytes.slice(0, 2304)).toEqual((await saved.readTensor('weight')).bytes);
  expect(bytes.slice(4 * sections.absmaxQ, 4 * sections.absmaxQ + 72)).toEqual((await saved.readTensor('weight.absmax')).bytes);
  expect(bytes.slice(4 * sections.nestedAbsmax, 4 * sections.offset)).toEqual((await saved.readTensor('weight.nested_absmax')).bytes);
  expect(new Float32Array(words.buffer)[sections.offset]).toBe(state.nested_offset);
  expect(bytes.slice(4 * sections.map)).toEqual((await saved.readTensor('weight.nested_quant_map')).bytes);
  expect(dynamicMap().length).toBe(256);
});

test('4-bit weights take about 4.127 bits each', () => {
  expect((memoryBytes('nf4', 2048, 2048) * 8) / 2048 ** 2).toBeCloseTo(4.129, 3);
});

test('a checkpoint weight comes out of NF4 exactly as in the reference model', async () => {
  const checkpoint = await openTensors('tests/fixtures/qwen3_vl/checkpoint_bf16_sharded/model-00001-of-00002.safetensors');
  const reference = await openTensors('tests/fixtures/qwen3_vl/cases/nf4_model.safetensors');
  const name = 'model.language_model.layers.0.self_attn.q_proj.weight';
  const weight = toWeightSource(await checkpoint.readTensor(name), { file: checkpoint.name, field: name });
  const expected = await reference.readTensor('text/example_dequant_q_proj_0');
  expect(asBytes(unpack(packNf4(weight, 128, 64))).equals(Buffer.from(expected.bytes.buffer))).toBe(true);
});
