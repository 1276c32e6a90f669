import { describe, expect, test } from 'vitest';
import { adaptedModules } from '../../../src/checkpoint/adapted-modules.ts';
import type { Adapter } from '../../../src/checkpoint/adapter.ts';
import { mergedModel, type OutputFile } from '../../../src/checkpoint/merged-model.ts';
import { moduleRanks } from '../../../src/checkpoint/module-ranks.ts';
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import { SafetensorsFile, writeSafetensors } from '../../../src/checkpoint/safetensors.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { bf16ToFloat32, float32ToBf16 } from '../../../src/quantization/bf16.ts';
import { dequantizeInt8, quantizeInt8 } from '../../../src/quantization/int8.ts';
import { mergeRows } from '../../../src/quantization/merge-rows.ts';
import { folderFiles } from './fixture-files.ts';

const SINGLE = 'tests/fixtures/qwen3_vl/checkpoint';
const SHARDED = 'tests/fixtures/qwen3_vl/checkpoint_bf16_sharded';
const ABOUT = { base: 'Qwen/base', run: 'my run' };

const noise = (length: number, seed: number, size = 0.05) => Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed * 78.233) * size);

function adapterFor(files: ModelFiles, change: Partial<Adapter['config']> = {}): Adapter {
  const config = { base_model_name_or_path: null, lora_dropout: 0, r: 4, lora_alpha: 8, use_rslora: false, target_modules: ['q_proj', 'down_proj', 'qkv'], ...change };
  const modules = adaptedModules(files.architecture.linearModules, config);
  return {
    config,
    modules: modules.map(({ path }) => path),
    tensors: modules.flatMap(({ path, r, inFeatures, outFeatures }, i) => [
      { name: `${path}.lora_A.weight`, shape: [r, inFeatures], data: noise(r * inFeatures, i) },
      { name: `${path}.lora_B.weight`, shape: [outFeatures, r], data: noise(outFeatures * r, i + 0.5) },
    ]),
  };
}

async function written(outputs: readonly OutputFile[]): Promise<PathFile[]> {
  return Promise.all(outputs.map(async ({ path, bytes, content }) => {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const part of content()) parts.push(part.slice());
    const file = new Blob(parts);
    expect(file.size, path).toBe(bytes);
    return { path, file };
  }));
}

/** W + scale · B·A in float64, summed in another order than the product's. */
function exactRow(weights: Float32Array, { config, tensors }: Adapter, path: string, row: number): number[] {
  const { scale } = moduleRanks([path], config).get(path)!;
  const [a, b] = ['A', 'B'].map((matrix) => tensors.find(({ name }) => name === `${path}.lora_${matrix}.weight`)!);
  const [r, cols] = a.shape;
  return Array.from({ length: cols }, (_, j) => {
    let sum = 0;
    for (let k = 0; k < r; k++) sum += b.data[row * r + k] * a.data[k * cols + j];
    return weights[row * cols + j] + scale * sum;
  });
}

/** Each value is the bf16 number nearest to the exact one. */
function expectRounded(bits: Uint16Array, exact: readonly number[]): void {
  const [values, below, above] = [0, -1, 1].map((step) => bf16ToFloat32(bits.map((word) => word + step)));
  for (let j = 0; j < exact.length; j++) {
    const error = Math.abs(values[j] - exact[j]);
    const others = Math.min(Math.abs(below[j] - exact[j]), Math.abs(above[j] - exact[j]));
    if (error > others + 1e-12) throw new Error(`${values[j]} is not the bf16 nearest to ${exact[j]}`);
  }
}

describe.each([SINGLE, SHARDED])('%s with an adapter', (folder) => {
  const patterns = { rank_pattern: { 'layers.1.self_attn.q_proj': 7 }, alpha_pattern: { qkv: 3 }, use_rslora: true };

  test('opens again, adapted layers moved by scale · B·A, everything else byte for byte', async () => {
    const base = await ModelFiles.open(folderFiles(folder));
    const adapter = adapterFor(base, patterns);
    const files = await written(await mergedModel(base, adapter, ABOUT));
    const merged = await ModelFiles.open(files);
    expect(merged.notes).toEqual([]);
    expect(merged.config).toEqual(base.config);
    const adapted = new Set(adapter.modules.map((path) => `${path}.weight`));
    expect(adapted.size).toBeGreaterThan(8);
    for (const shard of base.shards) {
      const other = merged.shards.find(({ name }) => name === shard.name)!;
      expect([...other.tensors.keys()].sort()).toEqual([...shard.tensors.keys()].sort());
      expect(other.metadata).toEqual(shard.metadata);
      for (const name of shard.tensors.keys()) {
        if (!adapted.has(name)) {
          const [{ bytes: kept, ...form }, { bytes, ...source }] = await Promise.all([other.readTensor(name), shard.readTensor(name)]);
          expect(form, name).toEqual(source);
          expect(Buffer.compare(kept, bytes), name).toBe(0);
          continue;
        }
        const weights = await base.readWeights(name);
        const bits = (await merged.readWeights(name)) as Uint16Array;
        expect(bits).toBeInstanceOf(Uint16Array);
        const [rows, cols] = merged.info(name).shape;
        const wide = weights instanceof Uint16Array ? bf16ToFloat32(weights) : weights;
        for (let row = 0; row < rows; row += 17) expectRounded(bits.subarray(row * cols, (row + 1) * cols), exactRow(wide, adapter, name.slice(0, -'.weight'.length), row));
      }
    }
  });

  test('has the side files, and an index where there are shards', async () => {
    const base = await ModelFiles.open(folderFiles(folder));
    const files = await written(await mergedModel(base, adapterFor(base), ABOUT));
    const given = folderFiles(folder);
    const names = (list: readonly PathFile[]) => list.map(({ path }) => path).sort();
    expect(names(files)).toEqual([...names(given), 'README.md'].sort());
    for (const { path, file } of given) {
      if (/safetensors/.test(path)) continue;
      expect(await files.find((other) => other.path === path)!.file.text(), path).toBe(await file.text());
    }
    expect(await files.find(({ path }) => path === 'README.md')!.file.text()).toMatch(/base_model: "Qwen\/base"[\s\S]*my run[\s\S]*rank 4, alpha 8/);
  });
});

test('names stay as the source spelled them', async () => {
  const [weights] = folderFiles(SINGLE).filter(({ path }) => path === 'model.safetensors');
  const file = await SafetensorsFile.open(weights.file, 'model.safetensors');
  const old = (name: string) => name.replace('model.language_model.', 'model.').replace('model.visual.', 'visual.');
  const tensors = await Promise.all([...file.tensors.keys()].map(async (name) => {
    const { dtype, shape, bytes } = await file.readTensor(name);
    return { name: old(name), dtype, shape, data: bytes };
  }));
  const renamed = folderFiles(SINGLE).map((given) => (given.path === 'model.safetensors' ? { ...given, file: new Blob([writeSafetensors(tensors)]) } : given));
  const base = await ModelFiles.open(renamed);
  const merged = await ModelFiles.open(await written(await mergedModel(base, adapterFor(base), ABOUT)));
  expect([...merged.shards[0].tensors.keys()].sort()).toEqual([...base.shards[0].tensors.keys()].sort());
  const name = 'model.language_model.layers.0.self_attn.q_proj.weight';
  expect(await merged.readWeights(name)).not.toEqual(await base.readWeights(name));
});

test('a base in int8 becomes bf16, without quantization_config', async () => {
  const given = folderFiles(SINGLE);
  const plain = await ModelFiles.open(given);
  const expected = new Map<string, Float32Array>();
  const tensors = (await Promise.all([...plain.shards[0].tensors.keys()].map(async (name) => {
    const { dtype, shape, bytes } = await plain.shards[0].readTensor(name);
    const module = plain.architecture.linearModules.find(({ path }) => `${path}.weight` === name);
    if (!module) return [{ name, dtype, shape, data: bytes }];
    const { codes, scale } = quantizeInt8(new Float32Array(bytes.buffer), module.outFeatures, module.inFeatures);
    expected.set(name, dequantizeInt8({ codes, scale: scale.map((value) => Math.fround(value * 127) / 127) }, module.outFeatures, module.inFeatures));
    return [{ name, dtype: 'I8' as const, shape, data: codes }, { name: `${module.path}.SCB`, dtype: 'F32' as const, shape: [shape[0]], data: scale.map((value) => value * 127) }];
  }))).flat();
  const config = JSON.parse(await given.find(({ path }) => path === 'config.json')!.file.text()) as object;
  const base = await ModelFiles.open([
    ...given.filter(({ path }) => path !== 'config.json' && path !== 'model.safetensors'),
    { path: 'config.json', file: new Blob([JSON.stringify({ ...config, quantization_config: { quant_method: 'bitsandbytes', load_in_8bit: true } })]) },
    { path: 'model.safetensors', file: new Blob([writeSafetensors(tensors)]) },
  ]);
  const adapter = adapterFor(base, { target_modules: ['k_proj'] });
  const files = await written(await mergedModel(base, adapter, ABOUT));
  expect(JSON.parse(await files.find(({ path }) => path === 'config.json')!.file.text())).toEqual(config);
  const merged = await ModelFiles.open(files);
  expect(merged.quantization).toBeNull();
  for (const [name, values] of expected) {
    const bits = (await merged.readWeights(name)) as Uint16Array;
    if (name.endsWith('k_proj.weight')) expectRounded(bits.subarray(0, 64), exactRow(values, adapter, name.slice(0, -'.weight'.length), 0));
    else expect(Buffer.compare(new Uint8Array(bits.buffer), new Uint8Array(float32ToBf16(values).buffer)), name).toBe(0);
  }
});

test('weights that leave the range of bf16 are refused by name', async () => {
  const base = await ModelFiles.open(folderFiles(SINGLE));
  const adapter = adapterFor(base);
  adapter.tensors[0].data.fill(3e38);
  adapter.tensors[1].data.fill(1000);
  await expect(written(await mergedModel(base, adapter, ABOUT))).rejects.toMatchObject({ code: 'not-finite', place: { field: `${adapter.modules[0]}.weight` } });
});

describe('rounding', () => {
  const one = (exact: number) => {
    // W is exact in float32; the rest comes from one product.
    const w = Math.fround(exact);
    return mergeRows(Float32Array.of(w), 1, 0, { a: Float32Array.of(1), b: Float32Array.of(1), r: 1, scale: exact - w })[0];
  };

  test('goes to the nearest, ties to even, and never by way of float32', () => {
    const tie = 1 + 2 ** -8;
    expect([one(tie), one(1 + 3 * 2 ** -8)]).toEqual([0x3f80, 0x3f82]);
    // Float32 would round these to the tie first, and then to even.
    expect([one(tie + 2 ** -40), one(tie - 2 ** -40), one(-tie - 2 ** -40)]).toEqual([0x3f81, 0x3f80, 0xbf81]);
  });

  test('rows are those of the whole matrix, whatever their number', () => {
    const cols = 13;
    const lowRank = { a: noise(6 * cols, 1), b: noise(9 * 6, 2), r: 6, scale: 1.7 };
    const weights = noise(9 * cols, 3);
    const whole = mergeRows(weights, cols, 0, lowRank);
    expect(mergeRows(weights.subarray(4 * cols, 6 * cols), cols, 4, lowRank)).toEqual(whole.subarray(4 * cols, 6 * cols));
    expect(mergeRows(weights, cols, 0, null)).toEqual(float32ToBf16(weights));
  });
});
