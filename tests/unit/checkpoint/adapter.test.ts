import { beforeAll, describe, expect, test } from 'vitest';
import { parseAdapterConfig, writeAdapterConfig, type AdapterConfig } from '../../../src/checkpoint/adapter-config.ts';
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, readAdapter, writeAdapter } from '../../../src/checkpoint/adapter.ts';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { SafetensorsFile, writeSafetensors, type NamedTensor } from '../../../src/checkpoint/safetensors.ts';
import { float32ToBf16 } from '../../../src/quantization/bf16.ts';
import { expectError } from './expect-error.ts';
import { fileBlob, fileText, openTensors } from './fixture-files.ts';

const LORA = 'tests/fixtures/qwen3_vl/lora';
const configText = fileText(`${LORA}/${ADAPTER_CONFIG_FILE}`);
const weights = fileBlob(`${LORA}/${ADAPTER_WEIGHTS_FILE}`);
const model = readArchitecture(fileText('tests/fixtures/qwen3_vl/checkpoint/config.json'));
const FIRST = 'base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight';

let stored: NamedTensor[];
beforeAll(async () => {
  const file = await openTensors(`${LORA}/${ADAPTER_WEIGHTS_FILE}`);
  stored = await Promise.all([...file.tensors.keys()].map(async (name) => {
    const { bytes, ...rest } = await file.readTensor(name);
    return { name, ...rest, data: bytes };
  }));
});

const file = (change: (tensors: NamedTensor[]) => NamedTensor[]) => new Blob([writeSafetensors(change(stored))]);
const changed = (name: string, change: Partial<NamedTensor>) => file((tensors) => tensors.map((t) => (t.name === name ? { ...t, ...change } : t)));
const config = (change: Record<string, unknown>) => JSON.stringify({ ...(JSON.parse(configText) as object), ...change });

describe('reading', () => {
  test('the PEFT fixture', async () => {
    const adapter = await readAdapter(configText, weights, model);
    expect(adapter.config).toEqual({
      base_model_name_or_path: '../checkpoint', r: 4, lora_alpha: 8, lora_dropout: 0, use_rslora: false, rank_pattern: {}, alpha_pattern: {},
      target_modules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
    });
    expect(adapter.tensors.length).toBe(56);
    expect(adapter.modules.length).toBe(28);
    expect(adapter.tensors[0]).toMatchObject({ name: 'model.language_model.layers.0.self_attn.q_proj.lora_A.weight', shape: [4, 64] });
    expect(adapter.tensors[1]).toMatchObject({ name: 'model.language_model.layers.0.self_attn.q_proj.lora_B.weight', shape: [128, 4] });
  });

  test('old module names and ".default." keys give the same adapter', async () => {
    const expected = await readAdapter(configText, weights, model);
    const rename = (change: (name: string) => string) => file((tensors) => tensors.map((t) => ({ ...t, name: change(t.name) })));
    for (const change of [
      (name: string) => name.replace('model.language_model.', 'model.'),
      (name: string) => name.replace('.weight', '.default.weight'),
      (name: string) => name.replace('base_model.model.', ''),
    ]) {
      expect(await readAdapter(configText, rename(change), model)).toEqual(expected);
    }
  });

  test('bf16 and float16 are widened', async () => {
    const ones = new Float32Array(4 * 64).fill(1);
    for (const [dtype, data] of [['BF16', float32ToBf16(ones)], ['F16', new Uint16Array(4 * 64).fill(0x3c00)]] as const) {
      const adapter = await readAdapter(configText, changed(FIRST, { dtype, data }), model);
      expect(adapter.tensors[0].data).toEqual(ones);
    }
  });

  const faults: [string, () => Blob, RegExp][] = [
    ['a module of another model', () => changed(FIRST, { name: FIRST.replace('layers.0', 'layers.9') }), /no model\.language_model\.layers\.9\.self_attn\.q_proj/],
    ['half a pair', () => file((tensors) => tensors.filter(({ name }) => name !== FIRST)), /q_proj lacks lora_A/],
    ['the same matrix twice', () => file((tensors) => [...tensors, { ...tensors[0], name: tensors[0].name.replace('.weight', '.default.weight') }]), /same matrix/],
    ['another rank', () => changed(FIRST, { shape: [2, 64], data: new Float32Array(128) }), /has shape \[2, 64\], expected \[4, 64\]/],
    ['another width', () => changed(FIRST, { shape: [4, 32], data: new Float32Array(128) }), /has shape \[4, 32\], expected \[4, 64\]/],
    ['whole numbers', () => changed(FIRST, { dtype: 'I32', data: new Int32Array(256) }), /has dtype I32/],
    ['NaN', () => changed(FIRST, { data: new Float32Array(256).fill(NaN, 7) }), /holds NaN at position 7/],
    ['DoRA magnitudes', () => changed(FIRST, { name: 'base_model.model.x.lora_magnitude_vector' }), /no plain LoRA matrix/],
    ['a saved module', () => changed(FIRST, { name: 'base_model.model.lm_head.weight' }), /no plain LoRA matrix/],
    ['nothing', () => file(() => []), /holds no LoRA matrices/],
  ];
  test.each(faults)('%s is refused', async (_, blob, message) => {
    const error = await expectError(() => readAdapter(configText, blob(), model), 'adapter', message);
    expect(error.place.file).toBe(ADAPTER_WEIGHTS_FILE);
  });

  test('a rank in the configuration that the tensors lack is refused', async () => {
    await expectError(() => readAdapter(config({ r: 8 }), weights, model), 'adapter', /expected \[8, 64\]/);
  });

  const kinds: [string, unknown][] = [
    ['use_dora', true], ['bias', 'all'], ['modules_to_save', ['lm_head']], ['target_parameters', ['x']],
    ['fan_in_fan_out', true], ['layer_replication', [[0, 2]]], ['peft_type', 'IA3'], ['lora_bias', true],
    ['init_lora_weights', 'pissa_niter_16'], ['init_lora_weights', 'olora'], ['from_the_future', 1],
  ];
  test.each(kinds)('%s = %j is refused', async (field, value) => {
    const error = await expectError(() => parseAdapterConfig(config({ [field]: value })), 'adapter', /./);
    expect(error.place).toEqual({ file: ADAPTER_CONFIG_FILE, field });
  });

  test.each([['r', 0], ['r', 2.5], ['r', '4'], ['lora_alpha', null], ['lora_dropout', 2], ['target_modules', [1]]])('%s = %j cannot be', async (field, value) => {
    await expectError(() => parseAdapterConfig(config({ [field]: value })), 'adapter', new RegExp(field));
  });

  test('fields of newer PEFT releases that are switched off do no harm', () => {
    const text = config({ corda_config: null, use_qalora: false, qalora_group_size: 16, loftq_config: {}, peft_version: '0.21.0', trainable_token_indices: null, exclude_modules: ['lm_head'], layers_to_transform: [0], init_lora_weights: 'gaussian' });
    expect(parseAdapterConfig(text).r).toBe(4);
  });
});

describe('writing', () => {
  test('every tensor is written as PEFT wrote it', async () => {
    const adapter = await readAdapter(configText, weights, model);
    const written = writeAdapter(adapter.config, adapter.tensors);
    expect(JSON.parse(written[ADAPTER_CONFIG_FILE])).toMatchObject(JSON.parse(configText) as object);
    const file = await SafetensorsFile.open(new Blob([written[ADAPTER_WEIGHTS_FILE]]), 'written');
    expect([...file.metadata]).toEqual([['format', 'pt']]);
    expect(file.tensors.size).toBe(stored.length);
    for (const { name, shape, dtype, data } of stored) {
      const tensor = await file.readTensor(name);
      expect(tensor).toEqual({ dtype, shape, bytes: data });
    }
  });

  test('settings survive the round trip', () => {
    const settings: AdapterConfig = { base_model_name_or_path: 'Qwen/Qwen3-VL-2B-Instruct', r: 64, lora_alpha: 16.5, lora_dropout: 0.1, target_modules: '^x\\.q_proj$', use_rslora: true, rank_pattern: { 'layers\\.0\\..*': 8 }, alpha_pattern: { k_proj: 2.5 } };
    expect(parseAdapterConfig(writeAdapterConfig(settings))).toEqual(settings);
  });

  test('a tensor of another rank is our own fault', () => {
    const settings = parseAdapterConfig(configText);
    const tensor = { name: 'm.lora_A.weight', shape: [3, 5] as [number, number], data: new Float32Array(15) };
    expect(() => writeAdapter(settings, [tensor])).toThrow(/does not fit rank 4/);
  });
});
