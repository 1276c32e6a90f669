import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import type { Gpu } from '../../../src/gpu/gpu.ts';
import { buildParts } from '../../../src/model/build/registry.ts';
import { WeightReader } from '../../../src/model/weight-reader.ts';
import { packBf16, type PackedWeight, type WeightKind } from '../../../src/quantization/packed-weight.ts';
import type { WeightCache } from '../../../src/quantization/weight-cache.ts';

// Node has no WebGPU; the modules name its constants when they are loaded.
vi.hoisted(() => {
  const constants = new Proxy({}, { get: () => 1 });
  Object.assign(globalThis, { GPUBufferUsage: constants, GPUShaderStage: constants, GPUMapMode: constants });
});

const folder = new URL('../../../public/demo/model/', import.meta.url);
const NAMES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.json', 'preprocessor_config.json'];
let files: ModelFiles;
let uploaded: Uint32Array[];

/** Buffers as text: comparing millions of words one by one takes half a minute. */
const prints = (buffers: readonly Uint32Array[]) => buffers.map((words) => `${words.length} ${createHash('sha256').update(words).digest('hex')}`);

/** Takes what is put on a GPU. */
const gpu = {
  device: { limits: { maxStorageBufferBindingSize: 2 ** 27 }, pushErrorScope: () => undefined, popErrorScope: async () => null },
  createBuffer: (bytes: number) => ({ size: bytes }),
  writeBuffer: ({ size }: GPUBuffer, words: Uint32Array) => {
    expect(words.byteLength).toBe(size);
    uploaded.push(words.slice());
  },
  finish: async () => undefined,
} as unknown as Gpu;

class MemoryCache implements WeightCache {
  readonly kept = new Map<string, PackedWeight>();
  taken = 0;
  holds(name: string) {
    return this.kept.has(name);
  }
  async take(name: string) {
    const packed = this.kept.get(name) ?? null;
    if (packed) this.taken++;
    return packed;
  }
  async keep(name: string, packed: PackedWeight) {
    expect(this.kept.has(name), name).toBe(false);
    this.kept.set(name, packed);
  }
}

beforeAll(async () => {
  files = await ModelFiles.open(NAMES.map((path) => ({ path, file: new Blob([readFileSync(new URL(path, folder))]) })));
});
beforeEach(() => void (uploaded = []));

/** Everything that loading puts on the GPU, in order, and the progress it tells. */
async function load(kind: WeightKind, cache: WeightCache | null) {
  uploaded = [];
  const told: number[] = [];
  const reader = new WeightReader(gpu, files, { kindOf: () => kind, cache, onProgress: (done, total) => told.push(done / total) });
  await buildParts(reader, files.config);
  expect(uploaded).toEqual([]);
  await reader.fill();
  return { words: prints(uploaded), told };
}

describe('weights', () => {
  it.each(['nf4', 'int8', 'bf16'] as const)('in %s are the same from a cache as from files, and the files are then not read', async (kind) => {
    const plain = await load(kind, null);
    const cache = new MemoryCache();
    const first = await load(kind, cache);
    expect(first.words).toEqual(plain.words);
    expect(cache.taken).toBe(0);
    expect(cache.kept.size).toBe(plain.words.length);
    const { readTensor, readRowWeights, readLinear, readWeights } = files;
    const refuse = () => Promise.reject(new Error('a file was read'));
    Object.assign(files, { readTensor: refuse, readRowWeights: refuse, readLinear: refuse, readWeights: refuse });
    const again = await load(kind, cache);
    Object.assign(files, { readTensor, readRowWeights, readLinear, readWeights });
    expect(again.words).toEqual(plain.words);
    expect(again.told).toEqual(plain.told);
    // Headers are not counted.
    expect(plain.told.at(-1)).toBeGreaterThan(0.99);
    expect(plain.told.at(-1)).toBeLessThanOrEqual(1);
  });

  it('of a table are cut between rows and lose none', async () => {
    const name = 'model.language_model.embed_tokens.weight';
    const [rows, cols] = files.info(name).shape;
    const small = { ...gpu, device: { ...gpu.device, limits: { maxStorageBufferBindingSize: 2 * cols * 100 } } } as unknown as Gpu;
    const reader = new WeightReader(small, files, { kindOf: () => 'bf16' });
    const table = await reader.table(name, rows, cols);
    await reader.fill();
    expect(table.parts.map(({ firstRow }) => firstRow)).toEqual(Array.from({ length: Math.ceil(rows / 100) }, (_, i) => i * 100));
    const whole = packBf16(await files.readWeights(name), rows, cols).words;
    expect(prints([Uint32Array.from(uploaded.flatMap((words) => [...words]))])).toEqual(prints([whole]));
  });
});
