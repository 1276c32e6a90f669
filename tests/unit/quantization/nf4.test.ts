import { beforeAll, describe, expect, test } from 'vitest';
import type { SafetensorsFile } from '../../../src/checkpoint/safetensors.ts';
import { toFloat32, toWeightSource } from '../../../src/checkpoint/tensor-values.ts';
import { bf16ToFloat32 } from '../../../src/quantization/bf16.ts';
import { countBelow, dynamicMap, midpoints } from '../../../src/quantization/dynamic-map.ts';
import { dequantizeNf4, dequantizeScales, quantizeNf4, quantizeScales } from '../../../src/quantization/nf4.ts';
import { NF4_CODE } from '../../../src/quantization/nf4-code.ts';
import { openTensors } from '../checkpoint/fixture-files.ts';

const FILE = 'tests/fixtures/nf4/matrices.safetensors';
let fixture: SafetensorsFile;
beforeAll(async () => {
  fixture = await openTensors(FILE);
});

const floats = async (name: string) => toFloat32(await fixture.readTensor(name), { file: FILE, field: name });
const bytes = async (name: string) => (await fixture.readTensor(name)).bytes;
const source = async (name: string) => toWeightSource(await fixture.readTensor(name), { file: FILE, field: name });

describe('tables', () => {
  test('NF4 code and thresholds equal those of bitsandbytes', async () => {
    expect(NF4_CODE).toEqual(await floats('nf4_code'));
    expect(midpoints(NF4_CODE)).toEqual(await floats('nf4_midpoints'));
  });

  test('dynamic map equals that of bitsandbytes bit for bit', async () => {
    expect(dynamicMap()).toEqual(await floats('nested_code'));
  });
});

describe.each(['plain_48x96', 'ragged_37x29', 'zero_block_40x64', 'bf16_64x80', 'many_blocks_160x128'])('%s', (name) => {
  test('codes and scales', async () => {
    const got = quantizeNf4(await source(`${name}/input`));
    expect(got.packed).toEqual(await bytes(`${name}/plain/packed`));
    expect(got.packed).toEqual(await bytes(`${name}/nested/packed`));
    expect(got.absmax).toEqual(await floats(`${name}/plain/absmax`));
    expect(dequantizeNf4(got)).toEqual(await floats(`${name}/plain/dequant`));
  });

  test('double-quantised scales', async () => {
    const { absmax, ...codes } = quantizeNf4(await source(`${name}/input`));
    const nested = quantizeScales(absmax);
    expect(nested.codes).toEqual(await bytes(`${name}/nested/nested_q`));
    expect(nested.nestedAbsmax).toEqual(await floats(`${name}/nested/nested_absmax`));
    expect(Float32Array.of(nested.offset)).toEqual(await floats(`${name}/nested/offset`));
    expect(dequantizeNf4({ ...codes, absmax: dequantizeScales(nested) })).toEqual(await floats(`${name}/nested/dequant`));
  });
});

describe('codes', () => {
  const thresholds = midpoints(NF4_CODE);

  test('equal a search among the thresholds, on them and one ulp to either side', () => {
    const bits = new Int32Array(1);
    const value = new Float32Array(bits.buffer);
    const inputs: number[] = [0, -0, 1, -1, 1e-30, -1e-30];
    for (const threshold of thresholds) {
      for (const step of [-1, 0, 1]) {
        value[0] = threshold;
        bits[0] += step;
        inputs.push(value[0]);
      }
    }
    // A leading 1 makes absmax 1, so that the value itself is looked up.
    for (const input of inputs) {
      const { packed } = quantizeNf4(Float32Array.of(1, input, input));
      const expected = countBelow(thresholds, input);
      expect([packed[0] & 15, packed[1] >> 4], String(input)).toEqual([expected, expected]);
    }
  });

  test('equal the search for random blocks', () => {
    let state = 12345;
    const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    const weights = Float32Array.from({ length: 64 * 200 }, () => (random() + random() + random() - 1.5) * 10 ** Math.floor(random() * 3));
    const { packed, absmax } = quantizeNf4(weights);
    for (let i = 0; i < weights.length; i++) {
      const expected = countBelow(thresholds, Math.fround(weights[i] * Math.fround(1 / absmax[i >> 6])));
      if ((i & 1 ? packed[i >> 1] & 15 : packed[i >> 1] >> 4) !== expected) expect.fail(`weight ${i}`);
    }
  });

  test('of bf16 are those of the same values in float32, whatever scale and weight', () => {
    let state = 777;
    const random = (below: number) => Math.floor(((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * below);
    const blocks: number[] = [];
    for (let exponent = 0; exponent < 255; exponent++) {
      for (let fraction = 0; fraction < 128; fraction += exponent % 16 === 0 ? 1 : 17) {
        const scale = (exponent << 7) | fraction;
        const block = Array.from({ length: 64 }, () => (random(2) << 15) | Math.max(0, scale - random(8 << 7)));
        block[random(64)] = (random(2) << 15) | scale;
        blocks.push(...block);
      }
    }
    // All that lies within reach of one scale, on both sides of zero; and a part of a block at the end.
    for (let distance = 0; distance < 8 << 7; distance++) blocks.push(...(distance % 63 === 0 ? [16000] : []), ((distance & 1) << 15) | (16000 - distance));
    const bits = Uint16Array.from([...blocks, 5, 6, 7]);
    expect(quantizeNf4(bits)).toEqual(quantizeNf4(bf16ToFloat32(bits)));
  });

  test('scales too small for a float32 reciprocal do not overflow', () => {
    const tiny = new Float32Array(64).fill(1e-45);
    expect(dequantizeNf4(quantizeNf4(tiny)).every(Number.isFinite)).toBe(true);
  });

  test.each([0x7fc0, 0x7f80, 0xff80])('a bf16 weight of bits %i is refused by position', (bad) => {
    const bits = new Uint16Array(200).fill(0x3f00);
    bits[100] = bad;
    expect(() => quantizeNf4(bits)).toThrow(/Weight 100 is/);
  });

  test.each([NaN, Infinity, -Infinity])('a weight of %s is refused by position', (bad) => {
    const weights = new Float32Array(200).fill(0.5);
    weights[130] = bad;
    expect(() => quantizeNf4(weights)).toThrow(/Weight 130 is/);
  });

  test('an empty weight gives empty parts', () => {
    const empty = quantizeNf4(new Float32Array(0));
    expect(empty.packed.length).toBe(0);
    expect(quantizeScales(empty.absmax)).toEqual({ codes: new Uint8Array(0), nestedAbsmax: new Float32Array(0), offset: 0 });
  });
});
