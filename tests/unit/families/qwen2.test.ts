import { describe, expect, test } from 'vitest';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import type { Qwen25VLConfig } from '../../../src/families/qwen2-5-vl/config.ts';
import { expectError } from '../checkpoint/expect-error.ts';
import { configJson, nested, opened, type ConfigJson } from './fixtures.ts';

const COMMON = {
  hiddenSize: 64, intermediateSize: 128, numHiddenLayers: 4, numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 16, rmsNormEps: 1e-6,
  ropeTheta: 1e6, rotaryDim: 16, mropeSection: [2, 3, 3], mropeInterleaved: false,
  visionHiddenSize: 48, visionDepth: 4, visionNumHeads: 4, visionHeadDim: 12, patchSize: 14, temporalPatchSize: 2, spatialMergeSize: 2, inChannels: 3,
  imageTokenId: 572, videoTokenId: 573, visionStartTokenId: 569, visionEndTokenId: 570, eosTokenIds: [562], padTokenId: null,
};

test('Qwen2-VL: the width of the tower is embed_dim, of its MLP mlp_ratio times that', () => {
  expect(opened('qwen2_vl').config).toEqual({ ...COMMON, modelType: 'qwen2_vl', vocabSize: 576, maxPositionEmbeddings: 32768, tieWordEmbeddings: true, visionIntermediateSize: 96 });
});

test('Qwen2.5-VL: windows and seconds', () => {
  expect(opened('qwen2_5_vl').config).toEqual({
    ...COMMON, modelType: 'qwen2_5_vl', vocabSize: 592, maxPositionEmbeddings: 128000, tieWordEmbeddings: false, visionIntermediateSize: 100,
    windowSize: 56, fullAttentionBlocks: [1, 3], tokensPerSecond: 2,
  });
});

describe.each(['qwen2_vl', 'qwen2_5_vl'] as const)('%s', (folder) => {
  test('the nested form means the same', () => {
    expect(readArchitecture(JSON.stringify(nested(folder))).config).toEqual(opened(folder).config);
  });

  test('ids of the vision tokens may stand in text_config', () => {
    const config = nested(folder);
    for (const name of ['vision_start_token_id', 'vision_end_token_id']) {
      config.text_config[name] = config[name];
      delete config[name];
    }
    expect(readArchitecture(JSON.stringify(config)).config).toEqual(opened(folder).config);
  });

  const unsupported: [string, (c: ConfigJson) => unknown, RegExp, string][] = [
    ['sliding windows in the decoder', (c) => (c.use_sliding_window = true), /use_sliding_window must be false, got true/, 'use_sliding_window'],
    ['another activation', (c) => (c.hidden_act = 'gelu'), /hidden_act must be "silu", got "gelu"/, 'hidden_act'],
    ['another activation of the tower', (c) => (c.vision_config.hidden_act = 'gelu'), /hidden_act must be "(?:quick_gelu|silu)", got "gelu"/, 'vision_config.hidden_act'],
    ['layers of another type', (c) => (c.layer_types = ['full_attention', 'sliding_attention']), /holds "sliding_attention"/, 'layer_types'],
    ['interleaved axes', (c) => (c.rope_scaling = { type: 'mrope', mrope_section: [2, 3, 3], mrope_interleaved: true }), /a stretch of its own/, 'rope_scaling.mrope_interleaved'],
    ['scaled positions', (c) => (c.rope_scaling = { type: 'yarn', mrope_section: [2, 3, 3] }), /"yarn"/, 'rope_scaling.rope_type'],
    ['other channels', (c) => (c.vision_config.in_chans = 1), /in_chans must be 3/, 'vision_config.in_chans'],
  ];
  test.each(unsupported)('unsupported: %s', async (_, change, message, field) => {
    const error = await expectError(() => opened(folder, change), 'unsupported-model', message);
    expect(error.place).toEqual({ file: 'config.json', field });
  });

  const impossible: [string, (c: ConfigJson) => unknown, RegExp, string][] = [
    ['heads that do not divide', (c) => (c.num_key_value_heads = 3), /4 attention heads do not divide into 3/, 'num_key_value_heads'],
    ['odd head size', (c) => (c.num_attention_heads = 64), /even whole number, got 1/, 'head_dim'],
    ['section of the wrong sum', (c) => (c.rope_scaling = { type: 'mrope', mrope_section: [2, 3, 4] }), /sums to 9, expected head_dim \/ 2 = 8/, 'rope_scaling.mrope_section'],
    ['section missing', (c) => delete c.rope_scaling, /mrope_section is missing/, 'rope_scaling.mrope_section'],
    ['vision heads that do not divide', (c) => (c.vision_config.num_heads = 5), /must divide by 4 × num_heads 5/, 'vision_config.num_heads'],
    ['no vision_config', (c) => delete (c as Partial<ConfigJson>).vision_config, /vision_config/, 'vision_config'],
    ['no image token', (c) => delete c.image_token_id, /image_token_id is missing/, 'image_token_id'],
    ['token outside the vocabulary', (c) => (c.vocab_size = 570), /lies outside the vocabulary of 570/, 'imageTokenId'],
  ];
  test.each(impossible)('impossible: %s', async (_, change, message, field) => {
    const error = await expectError(() => opened(folder, change), 'file-corrupt', message);
    expect(error.place).toEqual({ file: 'config.json', field });
  });
});

test('Qwen2-VL: towers that do not fit, an MLP of no whole width', async () => {
  await expectError(() => opened('qwen2_vl', (c) => (c.vision_config.hidden_size = 32)), 'file-corrupt', /vision_config\.hidden_size: .* gives 32 features, the language model takes 64/);
  await expectError(() => opened('qwen2_vl', (c) => (c.vision_config.mlp_ratio = 1.01)), 'file-corrupt', /mlp_ratio: 1\.01 times embed_dim 48/);
});

test('Qwen2.5-VL: windows that do not divide, blocks that are not there', async () => {
  await expectError(() => opened('qwen2_5_vl', (c) => (c.vision_config.window_size = 57)), 'file-corrupt', /window_size: windows of 57 pixels do not divide into merged patches of 28/);
  await expectError(() => opened('qwen2_5_vl', (c) => (c.vision_config.fullatt_block_indexes = [1, 4])), 'file-corrupt', /stay below depth 4/);
  await expectError(() => opened('qwen2_5_vl', (c) => (c.vision_config.fullatt_block_indexes = [3, 1])), 'file-corrupt', /must ascend/);
  await expectError(() => opened('qwen2_5_vl', (c) => (c.vision_config.out_hidden_size = 32)), 'file-corrupt', /gives 32 features/);
});

test('windows count as such for the planner, boxes as pixels', () => {
  const { shapes, boxUnit, config } = opened('qwen2_5_vl');
  expect(shapes.vision.map(({ attends }) => attends)).toEqual([false, true, false, true]);
  expect((config as Qwen25VLConfig).fullAttentionBlocks).toEqual(configJson('qwen2_5_vl').vision_config.fullatt_block_indexes);
  expect(boxUnit).toBe('pixels');
  expect(opened('qwen2_vl').boxUnit).toBe('thousandths');
});
