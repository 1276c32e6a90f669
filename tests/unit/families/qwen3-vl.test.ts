import { describe, expect, test } from 'vitest';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import type { Qwen3VLConfig } from '../../../src/families/qwen3-vl/config.ts';
import { expectError } from '../checkpoint/expect-error.ts';
import { fileText } from '../checkpoint/fixture-files.ts';

type Json = { [key: string]: unknown; text_config: Record<string, unknown>; vision_config: Record<string, unknown> };

const parse = (text: string) => readArchitecture(text).config as Qwen3VLConfig;

/** The fixture's config.json after a change. */
function changed(change: (config: Json) => void): string {
  const config = JSON.parse(fileText('tests/fixtures/qwen3_vl/checkpoint/config.json')) as Json;
  change(config);
  return JSON.stringify(config);
}

test('the fixture flattens to these values', () => {
  expect(parse(fileText('tests/fixtures/qwen3_vl/checkpoint/config.json'))).toEqual({
    modelType: 'qwen3_vl',
    hiddenSize: 64,
    intermediateSize: 128,
    numHiddenLayers: 4,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    headDim: 32,
    rmsNormEps: 1e-6,
    ropeTheta: 1000,
    rotaryDim: 32,
    mropeSection: [6, 5, 5],
    mropeInterleaved: true,
    vocabSize: 608,
    maxPositionEmbeddings: 262144,
    tieWordEmbeddings: true,
    visionHiddenSize: 48,
    visionIntermediateSize: 96,
    visionDepth: 4,
    visionNumHeads: 4,
    visionHeadDim: 12,
    patchSize: 16,
    temporalPatchSize: 2,
    spatialMergeSize: 2,
    inChannels: 3,
    numPositionEmbeddings: 100,
    positionGridSize: 10,
    deepstackVisualIndexes: [0, 1, 2],
    imageTokenId: 572,
    videoTokenId: 573,
    visionStartTokenId: 569,
    visionEndTokenId: 570,
    eosTokenIds: [562],
    padTokenId: null,
  });
});

test('the demo model is read', () => {
  expect(parse(fileText('public/demo/model/config.json'))).toMatchObject({ hiddenSize: 128, numHiddenLayers: 5, deepstackVisualIndexes: [1] });
});

describe('variants that mean the same', () => {
  test('newer files keep rotary settings in rope_parameters', () => {
    const text = changed(({ text_config }) => {
      text_config.rope_parameters = { ...(text_config.rope_scaling as object), rope_theta: text_config.rope_theta };
      delete text_config.rope_scaling;
      delete text_config.rope_theta;
    });
    expect(parse(text)).toMatchObject({ ropeTheta: 1000, mropeSection: [6, 5, 5] });
  });

  test('head_dim defaults to hidden size over heads', () => {
    const text = changed(({ text_config }) => {
      delete text_config.head_dim;
      text_config.rope_scaling = { mrope_section: [4, 2, 2], rope_type: 'default' };
    });
    expect(parse(text).headDim).toBe(16);
  });

  test('the outer tie_word_embeddings counts, then the inner one', () => {
    expect(parse(changed((config) => (config.tie_word_embeddings = false))).tieWordEmbeddings).toBe(false);
    expect(parse(changed((config) => delete config.tie_word_embeddings)).tieWordEmbeddings).toBe(true);
  });
});

describe('models that are not supported', () => {
  const cases: [string, (config: Json) => void, RegExp, string][] = [
    ...['gptq', 'awq', 'fp8', 'compressed-tensors', 'gguf', 'never_heard_of'].map(
      (name): [string, (c: Json) => void, RegExp, string] => [name, (c) => (c.quantization_config = { quant_method: name, bits: 4 }), new RegExp(`already quantised with "?${name}`, 'i'), 'quantization_config.quant_method'],
    ),
    ['FP4', (c) => (c.quantization_config = { quant_method: 'bitsandbytes', load_in_4bit: true, bnb_4bit_quant_type: 'fp4' }), /4-bit code FP4/, 'quantization_config.bnb_4bit_quant_type'],
    ['neither 4 nor 8 bit', (c) => (c.quantization_config = { quant_method: 'bitsandbytes' }), /neither/, 'quantization_config'],
    ['MLX', (c) => (c.quantization = { group_size: 64, bits: 4 }), /MLX/, 'quantization'],
    ['another activation', (c) => (c.text_config.hidden_act = 'gelu'), /hidden_act must be "silu", got "gelu"/, 'text_config.hidden_act'],
    ['attention bias', (c) => (c.text_config.attention_bias = true), /attention_bias must be false/, 'text_config.attention_bias'],
    ['scaled rotary positions', (c) => (c.text_config.rope_scaling = { rope_type: 'yarn', mrope_section: [6, 5, 5] }), /"yarn"/, 'text_config.rope_scaling.rope_type'],
    ['contiguous axes', (c) => (c.text_config.rope_scaling = { mrope_interleaved: false, mrope_section: [6, 5, 5] }), /interleaves/, 'text_config.rope_scaling.mrope_interleaved'],
  ];
  test.each(cases)('%s', async (_, change, message, field) => {
    const error = await expectError(() => parse(changed(change)), 'unsupported-model', message);
    expect(error.place).toEqual({ file: 'config.json', field });
  });
});

describe('values that cannot be', () => {
  const cases: [string, (config: Json) => void, RegExp][] = [
    ['no text_config', (c) => delete (c as Partial<Json>).text_config, /text_config/],
    ['zero layers', (c) => (c.text_config.num_hidden_layers = 0), /num_hidden_layers: .*\(got 0\)/],
    ['layers beyond reason', (c) => (c.text_config.num_hidden_layers = 1e6), /num_hidden_layers/],
    ['a size as text', (c) => (c.text_config.hidden_size = '64'), /hidden_size/],
    ['a fraction', (c) => (c.vision_config.depth = 1.5), /vision_config\.depth/],
    ['heads that do not divide', (c) => (c.text_config.num_key_value_heads = 3), /4 attention heads do not divide into 3/],
    ['odd head size', (c) => (c.text_config.head_dim = 33), /even whole number, got 33/],
    ['vision heads that do not divide', (c) => (c.vision_config.num_heads = 5), /must divide by 4/],
    ['towers that do not fit', (c) => (c.vision_config.out_hidden_size = 32), /gives 32 features, the language model takes 64/],
    ['positions that are no square', (c) => (c.vision_config.num_position_embeddings = 99), /99 is not a square/],
    ['deepstack beyond the tower', (c) => (c.vision_config.deepstack_visual_indexes = [4]), /stay below depth 4/],
    ['deepstack out of order', (c) => (c.vision_config.deepstack_visual_indexes = [2, 1]), /must ascend/],
    ['more deepstack features than layers', (c) => ((c.text_config.num_hidden_layers = 2)), /3 features do not fit into 2 text layers/],
    ['section of the wrong sum', (c) => (c.text_config.rope_scaling = { mrope_section: [8, 5, 5] }), /sums to 18, expected head_dim \/ 2 = 16/],
    ['section that cannot interleave', (c) => (c.text_config.rope_scaling = { mrope_section: [2, 7, 7] }), /cannot be interleaved/],
    ['section whose width runs out of frequencies', (c) => (c.text_config.rope_scaling = { mrope_section: [5, 5, 6] }), /cannot be interleaved/],
    ['section missing', (c) => (c.text_config.rope_scaling = null), /mrope_section is missing/],
    ['rope_theta missing', (c) => delete c.text_config.rope_theta, /no value/],
    ['two values of rope_theta', (c) => (c.text_config.rope_parameters = { rope_theta: 5, mrope_section: [6, 5, 5] }), /two different values, 1000 and 5/],
    ['token outside the vocabulary', (c) => (c.image_token_id = 608), /token 608 lies outside the vocabulary of 608/],
  ];
  test.each(cases)('%s', async (_, change, message) => {
    await expectError(() => parse(changed(change)), 'file-corrupt', message);
  });

  test('no JSON, repeated keys', async () => {
    await expectError(() => parse('<!doctype html>'), 'file-corrupt', /config\.json is not valid JSON/);
    await expectError(() => parse('{"model_type":"qwen3_vl","model_type":"x"}'), 'file-corrupt', /"model_type" twice/);
  });
});
