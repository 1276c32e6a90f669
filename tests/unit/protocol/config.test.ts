import { describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import { presetSettings } from '../../../src/protocol/presets.ts';

describe('parseTrainingConfig', () => {
  it('fills in what is left out, and takes its own output unchanged', () => {
    for (const input of [{}, presetSettings('demo', 'sft'), presetSettings('original', 'sft')]) {
      const config = parseTrainingConfig(input);
      expect(config).toMatchObject(input);
      expect(parseTrainingConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
    }
  });

  it('reads the original scripts’ names', () => {
    const config = parseTrainingConfig({ lora_r: 4, batch_size: 2, num_epochs: 5, no_4bit: true, no_gradient_checkpointing: true, lora_target_modules: ['q_proj'] });
    expect(config).toMatchObject({
      r: 4, per_device_train_batch_size: 2, num_train_epochs: 5, load_in_4bit: false, gradient_checkpointing: false, target_modules: ['q_proj'],
    });
  });

  it.each(['__proto__', 'constructor', 'toString', 'learning_rat'])('names the unknown key %s instead of passing over it', (key) => {
    const input: unknown = JSON.parse(`{"r": 4, "${key}": {"r": 8}}`);
    expect(() => parseTrainingConfig(input)).toThrow(expect.objectContaining({ code: 'config', place: { field: key } }));
  });

  it.each([null, [], 'text', 7])('refuses %j, which is no object', (input) => {
    expect(() => parseTrainingConfig(input)).toThrow(expect.objectContaining({ code: 'config' }));
  });

  it.each([
    ['r', 0],
    ['max_steps', 0],
    ['learning_rate', '2e-4'],
    ['lora_dropout', 1],
    ['method', 'rlhf'],
    ['target_modules', []],
  ])('names the setting %s when it is %j', (field, value) => {
    expect(() => parseTrainingConfig({ [field]: value })).toThrow(expect.objectContaining({ code: 'config', place: { field } }));
  });
});
