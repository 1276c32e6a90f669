import { describe, expect, it } from 'vitest';
import { BEST_METRICS, FIELDS, GROUPS } from '../../../src/app/settings/fields.ts';
import {
  checkSetting,
  DATASET_KEYS,
  followsLength,
  layerSettings,
  MODEL_KEYS,
  overridesFor,
  presetConfig,
  PRESETS,
  readNumber,
  settingsKey,
  withOverride,
} from '../../../src/app/settings/layers.ts';
import { METHODS, parseTrainingConfig, trainingConfigSchema } from '../../../src/protocol/config.ts';

describe('fields', () => {
  it('describe every setting exactly once, in a known group', () => {
    const keys = Object.keys(trainingConfigSchema.entries).filter((key) => key !== 'method');
    expect(FIELDS.map((field) => field.key).sort()).toEqual(keys.sort());
    for (const field of FIELDS) expect(GROUPS).toContain(field.group);
  });

  it('fit the schema: choices are accepted, and controls have the type of the default', () => {
    const defaults = parseTrainingConfig({});
    for (const { key, control } of FIELDS) {
      if (control.kind === 'choice') for (const option of control.options) expect(checkSetting(key, option)).toBeNull();
      if (control.kind === 'number') expect(control.optional ? null : 'number').toBe(control.optional ? defaults[key] : typeof defaults[key]);
      if (control.kind === 'toggle') expect(typeof defaults[key]).toBe('boolean');
    }
  });

  it('know that only losses and error rates get better downwards', () => {
    for (const { name, greaterIsBetter } of Object.values(BEST_METRICS).flat()) expect(greaterIsBetter).toBe(!/_(?:loss|cer)$/.test(name));
  });
});

describe('layers', () => {
  it('what the family of the model advises lies under the user’s own changes', () => {
    const base = { preset: 'lorikeet', method: 'sft', advice: 'int8' } as const;
    expect(layerSettings(base, {}).config).toMatchObject({ load_in_4bit: false, load_in_8bit: true });
    expect(withOverride(base, {}, 'load_in_4bit', true)).toEqual({ load_in_4bit: true });
    expect(layerSettings(base, { load_in_4bit: true }).config).toMatchObject({ load_in_4bit: true });
    expect(layerSettings({ ...base, advice: 'nf4' }, {}).config).toMatchObject({ load_in_4bit: true, load_in_8bit: false });
  });

  it('put changes over the preset over the defaults', () => {
    const { config, problems } = layerSettings({ preset: 'demo', method: 'sft' }, { r: 8 });
    expect(problems).toEqual({});
    expect(config?.r).toBe(8);
    expect(config?.learning_rate).toBe(2e-3);
    expect(config?.adam_beta1).toBe(0.9);
  });

  it('accept every preset', () => {
    for (const preset of PRESETS) {
      for (const method of METHODS) expect(layerSettings({ preset, method }, {}).config).toEqual(presetConfig({ preset, method }));
    }
  });

  it('name each wrong value and give no config meanwhile', () => {
    const { config, problems, values } = layerSettings({ preset: 'lorikeet', method: 'sft' }, { r: 0, learning_rate: 'abc', seed: 1.5, lora_dropout: 2, target_modules: '(' });
    expect(config).toBeNull();
    expect(values.learning_rate).toBe('abc');
    expect(problems).toEqual({
      r: { rule: 'min', bound: 1 },
      learning_rate: { rule: 'number' },
      seed: { rule: 'whole' },
      lora_dropout: { rule: 'max', bound: 0.95 },
      target_modules: { rule: 'regex' },
    });
  });

  it('ask for at least one module', () => {
    expect(checkSetting('target_modules', [])).toEqual({ rule: 'filled' });
    expect(checkSetting('target_modules', '')).toEqual({ rule: 'filled' });
    expect(checkSetting('target_modules', ['q_proj'])).toBeNull();
  });

  it('refuse 0 steps', () => {
    expect(checkSetting('max_steps', 0)).toEqual({ rule: 'other', message: 'must be -1 or at least 1' });
    expect(checkSetting('max_steps', -1)).toBeNull();
  });

  it('forget a change that equals the preset', () => {
    const changed = withOverride({ preset: 'demo', method: 'sft' }, {}, 'r', 8);
    expect(changed).toEqual({ r: 8 });
    expect(withOverride({ preset: 'demo', method: 'sft' }, changed, 'r', 16)).toEqual({});
    expect(withOverride({ preset: 'demo', method: 'sft' }, changed, 'r', undefined)).toEqual({});
  });

  it('carry any settings over as changes to a preset', () => {
    const wanted = parseTrainingConfig({ r: 4, max_steps: 7, target_modules: ['q_proj'] });
    expect(layerSettings({ preset: 'demo', method: 'sft' }, overridesFor({ preset: 'demo', method: 'sft' }, wanted)).config).toEqual(wanted);
    expect(overridesFor({ preset: 'original', method: 'sft' }, presetConfig({ preset: 'original', method: 'sft' }))).toEqual({});
  });
});

describe('typed numbers', () => {
  it('read decimals, exponents and a decimal comma; keep other text', () => {
    expect(readNumber(' 2e-4 ')).toBe(2e-4);
    expect(readNumber('0,1')).toBe(0.1);
    expect(readNumber('')).toBeUndefined();
    expect(readNumber('abc')).toBe('abc');
    expect(readNumber('Infinity')).toBe('Infinity');
  });
});

describe('settingsKey', () => {
  it('changes with the named settings only', () => {
    const base = presetConfig({ preset: 'demo', method: 'sft' });
    expect(settingsKey({ ...base, learning_rate: 1 }, MODEL_KEYS)).toBe(settingsKey(base, MODEL_KEYS));
    expect(settingsKey({ ...base, load_in_4bit: false }, MODEL_KEYS)).not.toBe(settingsKey(base, MODEL_KEYS));
    expect(settingsKey({ ...base, max_length: 100 }, DATASET_KEYS)).not.toBe(settingsKey(base, DATASET_KEYS));
  });
});

describe('settings that follow the length of a run', () => {
  it('do so until the user, the demo or the original says how often', () => {
    const base = { preset: 'lorikeet', method: 'sft' } as const;
    expect(followsLength(base, 'save_steps')).toBe(true);
    expect(followsLength(base, 'learning_rate')).toBe(false);
    expect(followsLength({ preset: 'original', method: 'sft' }, 'save_steps')).toBe(false);
    expect(followsLength({ preset: 'demo', method: 'sft' }, 'eval_steps')).toBe(false);
  });

  it('keep a number that happens to be the default once it has been said', () => {
    const base = { preset: 'lorikeet', method: 'sft' } as const;
    const said = withOverride(base, {}, 'save_steps', 500);
    expect(said).toEqual({ save_steps: 500 });
    expect(withOverride(base, said, 'save_steps', undefined)).toEqual({});
  });
});
