import { describe, expect, test } from 'vitest';
import type { Qwen35Config } from '../../../src/families/qwen3-5/config.ts';
import { expectError } from '../checkpoint/expect-error.ts';
import { opened, type ConfigJson } from './fixtures.ts';

const parsed = (change?: (config: ConfigJson) => unknown) => opened('qwen3_5', change).config as Qwen35Config;
const rope = (change: Record<string, unknown>) => (c: ConfigJson) => (c.text_config.rope_parameters = { ...(c.text_config.rope_parameters as object), ...change });

test('the fixture flattens to these values', () => {
  expect(parsed()).toEqual({
    modelType: 'qwen3_5',
    hiddenSize: 48, intermediateSize: 80, numHiddenLayers: 8, numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 32, rmsNormEps: 1e-6,
    ropeTheta: 1000, rotaryDim: 16, mropeSection: [3, 3, 2], mropeInterleaved: true,
    vocabSize: 568, maxPositionEmbeddings: 262144, tieWordEmbeddings: true,
    layerTypes: ['linear_attention', 'linear_attention', 'linear_attention', 'full_attention', 'linear_attention', 'linear_attention', 'linear_attention', 'full_attention'],
    linearConvKernelDim: 4, linearKeyHeadDim: 16, linearValueHeadDim: 24, linearNumKeyHeads: 2, linearNumValueHeads: 4,
    visionHiddenSize: 32, visionIntermediateSize: 64, visionDepth: 3, visionNumHeads: 2, visionHeadDim: 16,
    patchSize: 16, temporalPatchSize: 2, spatialMergeSize: 2, inChannels: 3, numPositionEmbeddings: 100, positionGridSize: 10, deepstackVisualIndexes: [],
    imageTokenId: 532, videoTokenId: 533, visionStartTokenId: 529, visionEndTokenId: 530, eosTokenIds: [520], padTokenId: null,
  });
});

describe('variants that mean the same', () => {
  test('layer types follow from the interval', () => {
    expect(parsed((c) => delete c.text_config.layer_types)).toEqual(parsed());
    expect(parsed((c) => {
      delete c.text_config.layer_types;
      delete c.text_config.full_attention_interval;
    })).toEqual(parsed());
    expect(parsed((c) => Object.assign(c.text_config, { layer_types: null, full_attention_interval: 2 })).layerTypes.filter((type) => type === 'full_attention')).toHaveLength(4);
  });

  test('the rotated part of a head may stand beside rope_parameters, and is a quarter by default', () => {
    const moved = (c: ConfigJson) => {
      rope({ partial_rotary_factor: undefined })(c);
      c.text_config.partial_rotary_factor = 0.5;
    };
    expect(parsed(moved)).toEqual(parsed());
    expect(parsed(rope({ partial_rotary_factor: undefined, mrope_section: [2, 1, 1] })).rotaryDim).toBe(8);
  });
});

describe('models that are not supported', () => {
  const cases: [string, (c: ConfigJson) => unknown, RegExp, string][] = [
    ['a layer of another type', (c) => ((c.text_config.layer_types as string[])[2] = 'sliding_attention'), /layer_types\.2 is "sliding_attention"/, 'text_config.layer_types.2'],
    ['attention without gate', (c) => (c.text_config.attn_output_gate = false), /attn_output_gate must be true, got false/, 'text_config.attn_output_gate'],
    ['a state in half precision', (c) => (c.text_config.mamba_ssm_dtype = 'bfloat16'), /mamba_ssm_dtype must be "float32", got "bfloat16"/, 'text_config.mamba_ssm_dtype'],
    ['experts', (c) => (c.text_config.num_experts = 8), /mixture of 8 experts/, 'text_config.num_experts'],
    ['deepstack', (c) => (c.vision_config.deepstack_visual_indexes = [0]), /takes no features of inner vision blocks/, 'vision_config.deepstack_visual_indexes'],
    ['contiguous axes', rope({ mrope_interleaved: false }), /Qwen3\.5 interleaves/, 'text_config.rope_parameters.mrope_interleaved'],
    ['another activation', (c) => (c.text_config.hidden_act = 'gelu'), /hidden_act must be "silu"/, 'text_config.hidden_act'],
  ];
  test.each(cases)('%s', async (_, change, message, field) => {
    const error = await expectError(() => parsed(change), 'unsupported-model', message);
    expect(error.place).toEqual({ file: 'config.json', field });
  });
});

describe('values that cannot be', () => {
  const cases: [string, (c: ConfigJson) => unknown, RegExp, string][] = [
    ['layer types that are too few', (c) => (c.text_config.layer_types as string[]).pop(), /7 entries for 8 layers/, 'text_config.layer_types'],
    ['value heads that do not divide', (c) => (c.text_config.linear_num_value_heads = 3), /3 value heads do not divide into 2 key heads/, 'text_config.linear_num_value_heads'],
    ['an odd number of rotated dimensions', rope({ partial_rotary_factor: 0.3 }), /0\.3 of a head of 32 is 9 rotated dimensions/, 'text_config.rope_parameters.partial_rotary_factor'],
    ['a section of the whole head', rope({ mrope_section: [6, 5, 5] }), /sums to 16, expected rotated dimensions \/ 2 = 8/, 'text_config.rope_parameters.mrope_section'],
    ['two values of one setting', (c) => (c.text_config.partial_rotary_factor = 0.25), /two different values, 0\.25 and 0\.5/, 'text_config.partial_rotary_factor'],
    ['no linear heads', (c) => delete c.text_config.linear_num_key_heads, /linear_num_key_heads/, 'text_config.linear_num_key_heads'],
  ];
  test.each(cases)('%s', async (_, change, message, field) => {
    const error = await expectError(() => parsed(change), 'file-corrupt', message);
    expect(error.place).toEqual({ file: 'config.json', field });
  });
});

test('linear layers keep more for backward and do not look at all earlier rows', () => {
  const { text } = opened('qwen3_5').shapes;
  expect(text.map(({ attends }) => attends)).toEqual([false, false, false, true, false, false, false, true]);
  expect(text[0]).toMatchObject({ hidden: 48, queries: 32, keys: 32, extra: 5 * 96 + 4 * 4, passing: 4 * (40 + 2 * 16 + 3 * 24 + (2 * 16 * 24) / 32), state: 4 * 16 * 24 + 160 * 4 });
  expect(text[3]).toMatchObject({ queries: 128, keys: 64, extra: 256, passing: 0, state: 0 });
});
