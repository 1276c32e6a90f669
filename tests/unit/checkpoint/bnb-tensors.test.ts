import { beforeAll, describe, expect, test } from 'vitest';
import { findQuantized, type TensorLocation } from '../../../src/checkpoint/bnb-tensors.ts';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import { SafetensorsFile, writeSafetensors, type NamedTensor } from '../../../src/checkpoint/safetensors.ts';
import { toFloat32 } from '../../../src/checkpoint/tensor-values.ts';
import { visionModule } from '../../../src/families/decoder-modules.ts';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { float32ToBf16 } from '../../../src/quantization/bf16.ts';
import { dynamicMap } from '../../../src/quantization/dynamic-map.ts';
import { dequantizeInt8, quantizeInt8 } from '../../../src/quantization/int8.ts';
import { dequantizeNf4, quantizeNf4, quantizeScales } from '../../../src/quantization/nf4.ts';
import { NF4_CODE } from '../../../src/quantization/nf4-code.ts';
import { packNf4, unpack } from '../../../src/quantization/packed-weight.ts';
import { weightKind } from '../../../src/training/planner.ts';
import { expectError } from './expect-error.ts';
import { folderFiles, openTensors } from './fixture-files.ts';

const SINGLE = 'tests/fixtures/qwen3_vl/checkpoint';
const KEPT = 'model.visual.merger.linear_fc1';
const u8 = (data: Uint8Array, ...shape: number[]) => ({ dtype: 'U8' as const, shape, data });
const f32 = (data: Float32Array) => ({ dtype: 'F32' as const, shape: [data.length], data });

interface Options {
  nested: boolean;
  dtype?: string;
  state?: Record<string, unknown>;
}

/** A weight as transformers saves it in 4 bits. */
function nf4Tensors(name: string, values: Float32Array, shape: readonly number[], { nested, dtype = 'bfloat16', state = {} }: Options): NamedTensor[] {
  const { packed, absmax } = quantizeNf4(values);
  const scales = quantizeScales(absmax);
  const json = { quant_type: 'nf4', blocksize: 64, dtype, shape, ...(nested && { nested_blocksize: 256, nested_dtype: 'float32', nested_offset: scales.offset }), ...state };
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  return [
    { name, ...u8(packed, packed.length, 1) },
    { name: `${name}.quant_map`, ...f32(NF4_CODE) },
    { name: `${name}.quant_state.bitsandbytes__nf4`, ...u8(bytes, bytes.length) },
    ...(nested
      ? [
          { name: `${name}.absmax`, ...u8(scales.codes, scales.codes.length) },
          { name: `${name}.nested_absmax`, ...f32(scales.nestedAbsmax) },
          { name: `${name}.nested_quant_map`, ...f32(dynamicMap()) },
        ]
      : [{ name: `${name}.absmax`, ...f32(absmax) }]),
  ];
}

/** The same in int8. */
function int8Tensors(name: string, values: Float32Array, shape: readonly number[], format = 0): NamedTensor[] {
  const { codes, scale } = quantizeInt8(values, shape[0], shape[1]);
  const path = name.slice(0, -'.weight'.length);
  return [
    { name, dtype: 'I8', shape, data: codes },
    { name: `${path}.SCB`, ...f32(scale.map((value) => value * 127)) },
    { name: `${path}.weight_format`, dtype: 'U8', shape: [], data: Uint8Array.of(format) },
  ];
}

const linearModules = readArchitecture(await folderFiles(SINGLE).find(({ path }) => path === 'config.json')!.file.text()).linearModules;
let plain: ReadonlyMap<string, { shape: number[]; values: Float32Array }>;
beforeAll(async () => {
  const file = await openTensors(`${SINGLE}/model.safetensors`);
  plain = new Map(await Promise.all([...file.tensors.keys()].map(async (name) => {
    const tensor = await file.readTensor(name);
    return [name, { shape: tensor.shape, values: toFloat32(tensor, { file: '', field: name }) }] as const;
  })));
});

type Quantize = (name: string, values: Float32Array, shape: readonly number[]) => NamedTensor[];

/** The fixture's model with every linear layer but one quantised. */
async function quantized(bits: 4 | 8, quantize: Quantize, change: (tensors: NamedTensor[]) => NamedTensor[] = (tensors) => tensors): Promise<PathFile[]> {
  const paths = new Set(linearModules.map(({ path }) => `${path}.weight`).filter((name) => name !== `${KEPT}.weight`));
  const tensors = [...plain].flatMap(([name, { shape, values }]): NamedTensor[] =>
    paths.has(name) ? quantize(name, values, shape) : [{ name, dtype: 'BF16', shape, data: float32ToBf16(values) }],
  );
  const config = JSON.parse(await folderFiles(SINGLE).find(({ path }) => path === 'config.json')!.file.text()) as object;
  const quantization_config = { quant_method: 'bitsandbytes', load_in_4bit: bits === 4, load_in_8bit: bits === 8, bnb_4bit_quant_type: 'nf4', llm_int8_skip_modules: [KEPT, 'lm_head'] };
  const others = folderFiles(SINGLE).filter(({ path }) => path !== 'model.safetensors' && path !== 'config.json');
  return [
    ...others,
    { path: 'config.json', file: new Blob([JSON.stringify({ ...config, quantization_config })]) },
    { path: 'model.safetensors', file: new Blob([writeSafetensors(change(tensors))]) },
  ];
}

const settings = { load_in_4bit: true, load_in_8bit: false, quantize_vision: true };

describe('a checkpoint of bitsandbytes', () => {
  test('in NF4 with double quantisation has the very bytes that our own packing gives', async () => {
    const model = await ModelFiles.open(await quantized(4, (name, values, shape) => nf4Tensors(name, values, shape, { nested: true })));
    expect(model.notes).toEqual([]);
    for (const module of model.architecture.linearModules) {
      const stored = await model.readLinear(module);
      if (module.path === KEPT) {
        expect(stored).toMatchObject({ form: 'source', weights: float32ToBf16(plain.get(`${KEPT}.weight`)!.values) });
        expect(weightKind(module, settings)).toBe('bf16');
        continue;
      }
      const { values, shape } = plain.get(`${module.path}.weight`)!;
      expect(stored).toEqual({ form: 'packed', weight: packNf4(values, shape[0], shape[1]) });
      expect(weightKind(module, { ...settings, load_in_4bit: false })).toBe('nf4');
    }
    const listed = model.architecture.linearModules.reduce((sum, module) => sum + model.linearBytes(module), 0);
    expect(listed).toBeGreaterThan(0);
    expect(listed).toBeLessThan(model.fileBytes);
  });

  test.each(['bfloat16', 'float32'])('in NF4 with plain scales gives the values that %s arithmetic sees', async (dtype) => {
    const model = await ModelFiles.open(await quantized(4, (name, values, shape) => nf4Tensors(name, values, shape, { nested: false, dtype })));
    const [module] = model.architecture.linearModules;
    const values = dequantizeNf4(quantizeNf4(plain.get(`${module.path}.weight`)!.values));
    expect(await model.readLinear(module)).toEqual({ form: 'source', weights: dtype === 'bfloat16' ? float32ToBf16(values) : values });
    expect(weightKind(module, settings)).toBe(dtype === 'bfloat16' ? 'bf16' : 'f32');
  });

  test('in int8 keeps codes and scales', async () => {
    const model = await ModelFiles.open(await quantized(8, int8Tensors));
    const [module] = model.architecture.linearModules;
    const stored = await model.readLinear(module);
    expect(stored).toMatchObject({ form: 'packed', weight: { kind: 'int8', rows: module.outFeatures, cols: module.inFeatures } });
    const { values } = plain.get(`${module.path}.weight`)!;
    const expected = dequantizeInt8(quantizeInt8(values, module.outFeatures, module.inFeatures), module.outFeatures, module.inFeatures);
    const got = unpack((stored as { weight: Parameters<typeof unpack>[0] }).weight);
    const worst = got.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]) / Math.max(1e-9, Math.abs(expected[i]))), 0);
    expect(worst).toBeLessThan(2e-7);
    expect(weightKind(module, settings)).toBe('int8');
  });
});

describe('bitsandbytes’ own file', () => {
  const module = visionModule('m', 48, 96);

  async function location(prefix = 'm.'): Promise<Map<string, TensorLocation>> {
    const file = await openTensors('tests/fixtures/nf4/bnb_checkpoint_layout.safetensors');
    return new Map([...file.tensors.keys()].map((name) => [prefix + name, { file, name }]));
  }

  test('reads as bitsandbytes dequantises it', async () => {
    const found = await location();
    const stored = await (await findQuantized(module, found))!.read();
    expect(found.size).toBe(0);
    const matrices = await openTensors('tests/fixtures/nf4/matrices.safetensors');
    const expected = toFloat32(await matrices.readTensor('plain_48x96/nested/dequant'), { file: '', field: '' });
    expect(stored.form === 'packed' && unpack(stored.weight)).toEqual(expected);
  });

  test('belongs to a module of its own shape only', async () => {
    const found = await location();
    await expectError(() => findQuantized(visionModule('m', 96, 48), found), 'file-corrupt', /says shape \[48, 96\], config\.json asks for \[96, 48\]/);
    expect(await findQuantized(visionModule('other', 48, 96), await location())).toBeNull();
  });
});

test('larger blocks repeat their scales', async () => {
  const shape = [16, 200];
  const values = Float32Array.from({ length: 3200 }, (_, i) => Math.sin(i * i));
  const half = Float32Array.from({ length: 25 }, (_, b) => values.subarray(b * 128, (b + 1) * 128).reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  const codes = Uint8Array.from({ length: 1600 }, (_, i) => (i * 37) & 255);
  for (const nested of [false, true]) {
    const scales = quantizeScales(half);
    const tensors = nf4Tensors('m.weight', values, shape, { nested, dtype: 'float32', state: { blocksize: 128, ...(nested && { nested_offset: scales.offset }) } }).map((tensor) => {
      if (tensor.name === 'm.weight') return { ...tensor, ...u8(codes, 1600, 1) };
      if (tensor.name.endsWith('.nested_absmax')) return { ...tensor, ...f32(scales.nestedAbsmax) };
      if (tensor.name.endsWith('.absmax')) return { ...tensor, ...(nested ? u8(scales.codes, 25) : f32(half)) };
      return tensor;
    });
    const file = await SafetensorsFile.open(new Blob([writeSafetensors(tensors)]), 'x.safetensors');
    const stored = await (await findQuantized(visionModule('m', 16, 200), new Map([...file.tensors.keys()].map((name) => [name, { file, name }]))))!.read();
    const got = stored.form === 'packed' ? unpack(stored.weight) : (stored.weights as Float32Array);
    const scale = (b: number) => (nested ? Math.fround(Math.fround(dynamicMap()[scales.codes[b]] * scales.nestedAbsmax[0]) + scales.offset) : half[b]);
    const expected = Float32Array.from(values, (_, i) => NF4_CODE[i & 1 ? codes[i >> 1] & 15 : codes[i >> 1] >> 4] * scale(i >> 7));
    expect(got).toEqual(expected);
  }
});

describe('what is refused', () => {
  const FIRST = linearModules[0].path;
  const nf4 = (state: Record<string, unknown>): Quantize => (name, values, shape) => nf4Tensors(name, values, shape, { nested: true, state });
  const without = (ending: string) => (tensors: NamedTensor[]) => tensors.filter(({ name }) => name !== FIRST + ending);
  const changed = (ending: string, change: Partial<NamedTensor>) => (tensors: NamedTensor[]) => tensors.map((tensor) => (tensor.name === FIRST + ending ? { ...tensor, ...change } : tensor));

  test.each<[string, () => Promise<PathFile[]>, 'tensor-missing' | 'tensor-shape' | 'file-corrupt' | 'unsupported-model', RegExp]>([
    ['scales that are missing', () => quantized(4, nf4({}), without('.weight.absmax')), 'tensor-missing', /absmax is missing/],
    ['an offset without its scales', () => quantized(4, nf4({}), without('.weight.nested_absmax')), 'file-corrupt', /nested_offset/],
    ['too few codes', () => quantized(4, nf4({}), changed('.weight', u8(new Uint8Array(5), 5, 1))), 'tensor-shape', /has 5 bytes/],
    ['scales of another type', () => quantized(4, nf4({}), changed('.weight.absmax', f32(new Float32Array(48)))), 'tensor-shape', /dtype F32, expected U8/],
    ['an odd block', () => quantized(4, nf4({ blocksize: 96 })), 'file-corrupt', /blocksize/],
    ['another nested block', () => quantized(4, nf4({ nested_blocksize: 128 })), 'file-corrupt', /nested_blocksize/],
    ['the wrong shape', () => quantized(4, nf4({ shape: [3, 3] })), 'file-corrupt', /says shape \[3, 3\]/],
    ['FP4', () => quantized(4, nf4({}), (tensors) => tensors.map((t) => ({ ...t, name: t.name.replace('bitsandbytes__nf4', 'bitsandbytes__fp4') }))), 'unsupported-model', /FP4/],
    ['int8 in another layout', () => quantized(8, (name, values, shape) => int8Tensors(name, values, shape, 2)), 'unsupported-model', /weight_format is 2/],
    ['int8 without scales', () => quantized(8, int8Tensors, without('.SCB')), 'tensor-shape', /dtype I8/],
  ])('%s', async (_, files, code, message) => {
    const given = await files();
    await expectError(() => ModelFiles.open(given), code, message);
  });

  test('a code that is not NF4, and scales that are not finite', async () => {
    for (const [ending, message] of [['.weight.quant_map', /is not the NF4 code/], ['.weight.nested_absmax', /holds NaN/]] as const) {
      const model = await ModelFiles.open(await quantized(4, nf4({}), (tensors) => tensors.map((t) => (t.name === FIRST + ending ? { ...t, data: new Float32Array(t.shape[0]).fill(ending.includes('map') ? 0.5 : NaN) } : t))));
      await expect(model.readLinear(linearModules[0])).rejects.toThrow(message);
    }
  });

  test('GGUF', async () => {
    const files = folderFiles(SINGLE).filter(({ path }) => path !== 'model.safetensors');
    await expectError(() => ModelFiles.open([...files, { path: 'model-q4_k_m.gguf', file: new Blob(['GGUF']) }]), 'unsupported-model', /GGUF/);
  });
});
