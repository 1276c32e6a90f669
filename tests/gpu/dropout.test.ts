import { describe, expect, it } from 'vitest';
import { applyDropout, type DropoutKey } from '../../src/kernels/dropout.ts';
import { philox4x32 } from '../../src/processing/philox.ts';
import { plainDropout } from '../reference/dropout.ts';
import { noise, relativeError, useGpu } from './open.ts';

const gpuOf = useGpu();
const KEY: DropoutKey = { p: 0.1, seed: 42, step: 7, module: 3 };

async function masked(x: Float32Array, key: DropoutKey): Promise<Float32Array> {
  const gpu = gpuOf();
  const y = gpu.empty([x.length]);
  applyDropout(gpu, gpu.upload(x, [x.length]), key, y, false);
  const values = await gpu.readFloats(y);
  y.dispose();
  return values;
}

const isKept = (values: Float32Array): boolean[] => Array.from(values, (value) => value !== 0);

describe('dropout', () => {
  it('draws the published Philox4x32-10 words: counter 0 under key 0, found by bisection over the drop rate', async () => {
    const words = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];
    expect(philox4x32([0, 0, 0, 0], [0, 0])).toEqual(words);
    const gpu = gpuOf();
    const ones = gpu.upload(new Float32Array(4).fill(1), [4]);
    const y = gpu.empty([4]);
    // A word is kept from the first keep rate above its upper 24 bits: 12 of them are enough to tell the words apart.
    const low = [0, 0, 0, 0];
    for (let bit = 11; bit >= 0; bit--) {
      for (let c = 0; c < 4; c++) {
        const threshold = low[c] + 2 ** bit;
        applyDropout(gpu, ones, { p: 1 - threshold / 4096, seed: 0, step: 0, module: 0 }, y, false);
        if ((await gpu.readFloats(y))[c] === 0) low[c] = threshold;
      }
    }
    expect(low).toEqual(words.map((word) => word >>> 20));
  });

  it('has the masks of the plain implementation under every kind of key', async () => {
    const x = noise(4099, 1).map((value) => value + 3);
    const keys = [KEY, { ...KEY, seed: 0xffffffff, step: 0xfffffffe }, { ...KEY, p: 0.5, module: 1023 }, { ...KEY, p: 0.999 }, { p: 0.05, seed: 0, step: 0, module: 0 }];
    for (const key of keys) {
      const [actual, expected] = [await masked(x, key), plainDropout(x, key)];
      expect(isKept(actual), JSON.stringify(key)).toEqual(isKept(expected));
      // One division in float32.
      expect(relativeError(actual, expected)).toBeLessThan(3e-7);
    }
  });

  it('p = 0 changes nothing', async () => {
    const x = noise(77, 2);
    expect(await masked(x, { ...KEY, p: 0 })).toEqual(x);
  });

  it('equal keys give equal masks, whatever the values; any other part of the key gives others', async () => {
    const forward = isKept(await masked(new Float32Array(2000).fill(1), KEY));
    // Backward sends the gradient through the same mask.
    expect(isKept(await masked(noise(2000, 3).map((value) => value + 2), KEY))).toEqual(forward);
    for (const other of [{ seed: 43 }, { step: 8 }, { module: 4 }]) {
      const mask = isKept(await masked(new Float32Array(2000).fill(1), { ...KEY, ...other }));
      const differing = mask.filter((kept, i) => kept !== forward[i]).length;
      // Independent masks differ on 2 · 0.1 · 0.9 of the elements: 360 ± 4 · √(2000 · 0.18 · 0.82).
      expect(Math.abs(differing - 360), JSON.stringify(other)).toBeLessThan(4 * Math.sqrt(2000 * 0.18 * 0.82));
    }
  });

  it.each([0.05, 0.1, 0.5])('drops a share of %d within four standard deviations and keeps the mean', async (p) => {
    const n = 40_000;
    const y = await masked(new Float32Array(n).fill(1), { ...KEY, p });
    const sigma = Math.sqrt((p * (1 - p)) / n);
    expect(Math.abs(y.filter((value) => value === 0).length / n - p)).toBeLessThan(4 * sigma);
    expect(Math.abs(y.reduce((sum, value) => sum + value, 0) / n - 1)).toBeLessThan((4 * sigma) / (1 - p));
  });

  it('scales, and adds to what the output holds', async () => {
    const gpu = gpuOf();
    const [x, before] = [noise(103, 5).map((value) => value + 3), noise(103, 6)];
    const y = gpu.upload(before, [103]);
    applyDropout(gpu, gpu.upload(x, [103]), KEY, y, true, 0.25);
    const expected = plainDropout(x, KEY).map((value, i) => before[i] + 0.25 * value);
    expect(relativeError(await gpu.readFloats(y), expected)).toBeLessThan(3e-7);
  });
});
