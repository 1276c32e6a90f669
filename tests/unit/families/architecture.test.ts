import { describe, expect, test } from 'vitest';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { matchTargetModules } from '../../../src/checkpoint/target-modules.ts';
import { expectedTensors, parameterCount } from '../../../src/families/architecture.ts';
import { LANGUAGE_MODEL_TARGETS } from '../../../src/protocol/config.ts';
import { expectError } from '../checkpoint/expect-error.ts';
import { fileText } from '../checkpoint/fixture-files.ts';
import { HEADED, headersOf, nested, opened, openWithZeros } from './fixtures.ts';

const inputGroups = (folder: string) => {
  const groups = new Map<string, string[]>();
  for (const { inputGroup, path } of opened(folder).linearModules) groups.set(inputGroup, [...(groups.get(inputGroup) ?? []), path.split('.').at(-1)!]);
  return new Set([...groups.values()].filter((names) => names.length > 1).map((names) => names.join(' ')));
};

describe.each(HEADED)('%s', (folder) => {
  const headers = headersOf(folder);

  test('the published files hold exactly what is expected', async () => {
    const model = await openWithZeros(folder);
    expect(model.notes).toEqual([]);
    const inFiles = Object.keys(headers.checkpoint).filter((name) => !name.startsWith('mtp.'));
    expect(expectedTensors(model.architecture)).toHaveLength(inFiles.length);
    const elements = inFiles.reduce((sum, name) => sum + headers.checkpoint[name].slice(1).reduce<number>((product, side) => product * Number(side), 1), 0);
    expect(parameterCount(model.architecture)).toBe(elements);
  });

  test('the names of newer files mean the same tensors', async () => {
    const rename = (name: string) => name.replace(/^model\.(?=layers|embed_tokens|norm)/, 'model.language_model.').replace(/^visual\./, 'model.visual.');
    const model = await openWithZeros(folder, (tensors) => tensors.map((tensor) => ({ ...tensor, name: rename(tensor.name) })));
    expect(model.notes).toEqual([]);
    expect(model.info('model.language_model.layers.3.mlp.up_proj.weight').shape).toEqual([model.config.hiddenSize === 48 ? 80 : 128, model.config.hiddenSize]);
  });

  test('more layers promised than the files hold', async () => {
    const last = folder === 'qwen3_5' ? 'layers.7.' : 'layers.3.';
    const count = folder === 'qwen3_5' ? [8, 7] : [4, 3];
    await expectError(() => openWithZeros(folder, (tensors) => tensors.filter(({ name }) => name.startsWith('mtp.') || !name.includes(last))), 'tensor-missing', new RegExp(`config\\.json promises ${count[0]} decoder layers, the weights hold ${count[1]}\\.`));
    await expectError(() => openWithZeros(folder, (tensors) => tensors.filter(({ name }) => !name.includes('visual.blocks.2.'))), 'tensor-missing', /vision blocks, the weights hold/);
  });

  test('its adapter names the modules as PEFT does', () => {
    const modules = opened(folder).linearModules;
    const { target_modules } = JSON.parse(fileText(`tests/fixtures/${folder}/lora/adapter_config.json`)) as { target_modules: string[] };
    const targets = new Set(matchTargetModules(target_modules, modules.map(({ path }) => path)));
    const named = modules.filter(({ path }) => targets.has(path)).flatMap(({ path, inFeatures, outFeatures }) => [
      [`base_model.model.${path}.lora_A.weight`, inFeatures],
      [`base_model.model.${path}.lora_B.weight`, outFeatures],
    ]);
    const inFile = Object.entries(headers.lora).map(([name, [a, b]]) => [name, name.endsWith('lora_A.weight') ? b : a]);
    expect(new Map(named as [string, number][])).toEqual(new Map(inFile as [string, number][]));
  });

  test('by default every linear layer of the decoder is adapted, and no other', () => {
    const { linearModules } = opened(folder, (c) => (c.tie_word_embeddings = false));
    const matched = matchTargetModules(LANGUAGE_MODEL_TARGETS, linearModules.map(({ path }) => path));
    expect(matched).toEqual(linearModules.filter(({ part }) => part === 'language_model').map(({ path }) => path));
  });

  test('modules of one input stand together', () => {
    const { linearModules } = opened(folder);
    const runs = linearModules.filter(({ inputGroup }, i) => i === 0 || linearModules[i - 1].inputGroup !== inputGroup);
    expect(new Set(linearModules.map(({ inputGroup }) => inputGroup)).size).toBe(runs.length);
  });
});

test('which modules share their input', () => {
  expect(inputGroups('qwen2_vl')).toEqual(new Set(['q_proj k_proj v_proj', 'gate_proj up_proj']));
  expect(inputGroups('qwen2_5_vl')).toEqual(inputGroups('qwen2_vl'));
  expect(inputGroups('qwen3_5')).toEqual(new Set(['in_proj_qkv in_proj_z in_proj_b in_proj_a', 'q_proj k_proj v_proj', 'gate_proj up_proj']));
  const gated = opened('qwen2_5_vl').linearModules.filter(({ path }) => path.startsWith('model.visual.blocks.0.mlp.'));
  expect(gated.map(({ inputGroup }) => inputGroup.split('.').at(-1))).toEqual(['in', 'in', 'down_proj']);
});

test('only the four families\' projections that have a bias say so', () => {
  const biased = (folder: string) => new Set(opened(folder).linearModules.filter(({ bias, part }) => bias && part === 'language_model').map(({ path }) => path.split('.').at(-1)));
  expect(biased('qwen2_vl')).toEqual(new Set(['q_proj', 'k_proj', 'v_proj']));
  expect(biased('qwen2_5_vl')).toEqual(new Set(['q_proj', 'k_proj', 'v_proj']));
  expect(biased('qwen3_vl')).toEqual(new Set());
  expect(biased('qwen3_5')).toEqual(new Set());
});

test('published sizes have the published number of parameters', () => {
  const qwen2 = nested('qwen2_vl');
  Object.assign(qwen2.text_config, { hidden_size: 1536, intermediate_size: 8960, num_attention_heads: 12, num_hidden_layers: 28, vocab_size: 151936, layer_types: null });
  (qwen2.text_config.rope_parameters as Record<string, unknown>).mrope_section = [16, 24, 24];
  Object.assign(qwen2.vision_config, { depth: 32, embed_dim: 1280, mlp_ratio: 4, num_heads: 16, hidden_size: 1536 });
  expect(parameterCount(readArchitecture(JSON.stringify(qwen2)))).toBe(2_208_985_600);

  const qwen25 = nested('qwen2_5_vl');
  Object.assign(qwen25, { tie_word_embeddings: true });
  Object.assign(qwen25.text_config, { hidden_size: 2048, intermediate_size: 11008, num_attention_heads: 16, num_hidden_layers: 36, vocab_size: 151936, layer_types: null });
  (qwen25.text_config.rope_parameters as Record<string, unknown>).mrope_section = [16, 24, 24];
  Object.assign(qwen25.vision_config, { depth: 32, hidden_size: 1280, intermediate_size: 3420, num_heads: 16, out_hidden_size: 2048, window_size: 112, fullatt_block_indexes: [7, 15, 23, 31] });
  expect(parameterCount(readArchitecture(JSON.stringify(qwen25)))).toBe(3_754_622_976);
});

describe('model types', () => {
  const cases: [string, RegExp][] = [
    ['qwen3_vl_moe', /"qwen3_vl_moe", a mixture of experts; Lorikeet trains Qwen2-VL .*dense Qwen3\.5/],
    ['qwen3_5_moe', /a mixture of experts;/],
    ['qwen2_5_omni', /an Omni model, which also hears and speaks;/],
    ['qwen3_omni_moe', /a mixture of experts;/],
    ['qwen3_omni', /an Omni model/],
    ['qwen3_6', /a later generation than Qwen3\.5;/],
    ['qwen3', /a language model without vision tower;/],
    ['qwen3_5_text', /a language model without vision tower;/],
    ['qwen2_5_vl_text', /a language model without vision tower;/],
    ['llava', /model_type is "llava"; Lorikeet trains/],
  ];
  test.each(cases)('%s', async (type, message) => {
    const error = await expectError(() => opened('qwen3_vl', (c) => (c.model_type = type)), 'unsupported-model', message);
    expect(error.place).toEqual({ file: 'config.json', field: 'model_type' });
  });

  test('none', async () => {
    await expectError(() => opened('qwen3_vl', (c) => delete c.model_type), 'unsupported-model', /model_type is missing; Lorikeet trains/);
  });
});
