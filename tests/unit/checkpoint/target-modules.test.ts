import { describe, expect, test } from 'vitest';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { matchTargetModules } from '../../../src/checkpoint/target-modules.ts';
import { FORMER_LANGUAGE_MODEL_TARGETS, LANGUAGE_MODEL_TARGETS } from '../../../src/protocol/config.ts';
import { presetSettings } from '../../../src/protocol/presets.ts';
import { expectError } from './expect-error.ts';
import { fileText } from './fixture-files.ts';

const config = JSON.parse(fileText('tests/fixtures/qwen3_vl/checkpoint/config.json')) as Record<string, unknown>;
const paths = readArchitecture(JSON.stringify({ ...config, tie_word_embeddings: false })).linearModules.map(({ path }) => path);
const adapted = JSON.parse(fileText('tests/fixtures/qwen3_vl/lora/adapter_config.json')) as { target_modules: string[] };

describe('what matches', () => {
  test('the default expression takes the 7 linear layers of every text layer, nothing else', () => {
    const matched = matchTargetModules(LANGUAGE_MODEL_TARGETS, paths);
    expect(matched.length).toBe(28);
    expect(matched.every((path) => path.startsWith('model.language_model.layers.'))).toBe(true);
  });

  test('the expression of earlier runs names the same modules', () => {
    expect(matchTargetModules(FORMER_LANGUAGE_MODEL_TARGETS, paths)).toEqual(matchTargetModules(LANGUAGE_MODEL_TARGETS, paths));
  });

  test('the plain list names the same modules', () => {
    const expected = matchTargetModules(LANGUAGE_MODEL_TARGETS, paths);
    expect(matchTargetModules(adapted.target_modules, paths)).toEqual(expected);
    expect(matchTargetModules(presetSettings('original', 'sft').target_modules!, paths)).toEqual(expected);
  });

  test('a list matches endings after a dot only', () => {
    expect(matchTargetModules(['attn.proj'], paths).length).toBe(4);
    expect(matchTargetModules(['proj', 'lm_head'], paths)).toEqual([0, 1, 2, 3].map((i) => `model.visual.blocks.${i}.attn.proj`).concat('lm_head'));
  });

  test('all-linear takes everything but lm_head', () => {
    expect(matchTargetModules('all-linear', paths)).toEqual(paths.filter((path) => path !== 'lm_head'));
  });

  test('an expression must match the whole path', () => {
    expect(matchTargetModules('.*q_proj', paths).length).toBe(4);
    expect(matchTargetModules('a|.*\\.(?P<which>qkv)', paths).length).toBe(4);
    expect(matchTargetModules('\\A.*qkv\\Z', paths).length).toBe(4);
  });
});

describe('what is refused', () => {
  test.each([
    ['q_proj', /q_proj matches no linear layer/],
    ['(', /no valid regular expression/],
    ['(?i).*Q_PROJ', /cannot be matched in bounded time here: inline flags at character 1/],
    ['.*\\.(?P<a>x)(?P=a)', /cannot be matched in bounded time here: a reference to a group/],
    ['(a+)+$', /matches no linear layer/],
    ['(.*a){30}', /matches no linear layer/],
    ['x'.repeat(10_001), /has 10001 characters/],
    [['q_proj', 'w_proj'], /called "w_proj"/],
    [[], /is empty/],
  ])('%j', async (target, message) => {
    const error = await expectError(() => matchTargetModules(target, paths), 'config', message);
    expect(error.place).toEqual({ field: 'target_modules' });
  });
});
