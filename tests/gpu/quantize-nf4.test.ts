import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/model/load.ts';
import { emptyWeight, weightSections } from '../../src/kernels/matmul.ts';
import { quantizeNf4OnGpu, readPacked } from '../../src/kernels/quantize-nf4.ts';
import { packNf4, type WeightSource } from '../../src/quantization/packed-weight.ts';
import type { PackedWeight } from '../../src/quantization/packed-weight.ts';
import { noise, useGpu } from './open.ts';
import { randomModel } from './random-model.ts';
import { limitMemory } from './scarce-memory.ts';

const gpuOf = useGpu('gpu');

/** The upper halves of float32 values. */
const bf16 = (values: Float32Array) => new Uint16Array(values.slice().buffer).filter((_, i) => i % 2 === 1);
/** Values whose sizes differ from block to block over the whole of what models hold. */
const wide = (length: number, seed: number) => noise(length, seed).map((value, i) => value * 2 ** (((i >> 6) * 7) % 60 - 40));

/** Bytes held, without what the pool keeps for later. */
function held(): number {
  gpuOf().backend.pool.trim();
  return gpuOf().bytes();
}

async function expectSame(source: WeightSource, rows: number, cols: number): Promise<void> {
  const gpu = gpuOf();
  const before = held();
  const weight = emptyWeight(gpu, 'nf4', rows, cols);
  expect(await quantizeNf4OnGpu(gpu, source, weight)).toBe(true);
  const expected = packNf4(source, rows, cols);
  const packed = await readPacked(gpu, weight);
  const { words } = packed;
  expect(words.length).toBe(expected.words.length);
  expect(words.findIndex((word, i) => word !== expected.words[i])).toBe(-1);
  expect(weight.sections).toEqual(weightSections(packed));
  gpu.destroyBuffer(weight.buffer);
  expect(held(), 'nothing else is left').toBe(before);
}

describe('NF4 on the GPU', () => {
  it.each([[1, 64], [24, 320], [130, 192], [1024, 1024]])('has the same words as on the CPU: %i × %i', async (rows, cols) => {
    await expectSame(bf16(wide(rows * cols, rows)), rows, cols);
    await expectSame(wide(rows * cols, rows + 1), rows, cols);
  });

  it('goes on over the pieces in which a large matrix comes, and reads from the middle of a file', async () => {
    const [rows, cols] = [4200, 4096];
    await expectSame(bf16(noise(rows * cols + 3, 5)).subarray(3), rows, cols);
  });

  it('has the same words on every threshold, and for zeros of both signs', async () => {
    const values = new Float32Array(64 * 64);
    const codes = [-1, -0.8480964004993439, -0.6106328666210175, -0.4599952697753906, 0, -0, 0.039790149, 0.8614784181118011, 1];
    for (let i = 0; i < values.length; i++) values[i] = codes[(i * 5) % codes.length] * (i % 64 === 0 ? 1 : 2 ** -((i >> 6) % 3));
    await expectSame(values, 64, 64);
    await expectSame(new Float32Array(256), 4, 64);
  });

  it('leaves to the CPU what is not finite, what is too small to be multiplied, and what fills no blocks', async () => {
    const gpu = gpuOf();
    const before = held();
    const weight = emptyWeight(gpu, 'nf4', 4, 64);
    for (const odd of [NaN, Infinity, -Infinity, 1e-33]) {
      const values = noise(256, 3).map((value, i) => (i < 64 ? value * 1e-38 : value));
      if (odd !== 1e-33) values[100] = odd;
      expect(await quantizeNf4OnGpu(gpu, values, weight), String(odd)).toBe(false);
    }
    expect(await quantizeNf4OnGpu(gpu, noise(4 * 63, 1), weight)).toBe(false);
    gpu.destroyBuffer(weight.buffer);
    expect(held()).toBe(before);
  });

  it('is what a model is loaded with and what is kept of it, word for word as the CPU makes it', { timeout: 120_000 }, async () => {
    const gpu = gpuOf();
    const { files } = await randomModel();
    const load = async (profile: 'gpu' | 'rasterizer') => {
      Object.assign(gpu, { profile });
      const kept = new Map<string, PackedWeight>();
      const model = await loadModel(gpu, files, { kindOf: () => 'nf4', cache: { holds: () => false, take: async () => null, keep: async (name, packed) => void kept.set(name, { ...packed, words: packed.words.slice() } as PackedWeight) } });
      model.dispose();
      return kept;
    };
    const onCpu = await load('rasterizer');
    const onGpu = await load('gpu');
    expect([...onGpu.values()].filter(({ kind }) => kind === 'nf4').length).toBeGreaterThan(5);
    expect(onGpu).toEqual(onCpu);
  });

  it.each(['gpu', 'rasterizer'] as const)('a model that finds no memory says for which tensor, and leaves the device fit for another (%s)', { timeout: 120_000 }, async (profile) => {
    const gpu = gpuOf();
    Object.assign(gpu, { profile });
    const { files } = await randomModel();
    const before = held();
    const model = await loadModel(gpu, files, { kindOf: () => 'nf4' });
    const bytes = held() - before;
    model.dispose();
    const release = limitMemory(gpu, before + bytes / 2);
    await expect(loadModel(gpu, files, { kindOf: () => 'nf4' })).rejects.toMatchObject({ code: 'out-of-memory', message: expect.stringMatching(/no memory left for model\./) });
    release();
    expect(held()).toBe(before);
    const again = await loadModel(gpu, files, { kindOf: () => 'nf4' });
    expect(await gpu.readInts(again.parts.embedding.parts[0].weight.buffer, 4)).toHaveLength(4);
    again.dispose();
    Object.assign(gpu, { profile: 'gpu' });
  });
});
