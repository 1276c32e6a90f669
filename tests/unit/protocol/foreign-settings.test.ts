/** Settings files of this page, of LLaMA-Factory, ms-swift and transformers. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import { readSettings } from '../../../src/protocol/foreign-settings.ts';

const file = (name: string) => readFileSync(new URL(`../../fixtures/cases/40-settings/${name}`, import.meta.url), 'utf8');
const changes = (name: string) => {
  const { config, left } = readSettings(file(name));
  const plain = parseTrainingConfig({});
  return { changed: Object.fromEntries(Object.entries(config).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(plain[key as 'r']))), left };
};

describe('settings files of other trainers', () => {
  it('of LLaMA-Factory, as JSON and YAML', () => {
    expect(changes('lf_args.json')).toEqual({ changed: { r: 8, lora_alpha: 16, learning_rate: 1e-4, per_device_train_batch_size: 2 }, left: [] });
    expect(changes('lf.yaml')).toEqual({ changed: { r: 8, learning_rate: 1e-4 }, left: ['model_name_or_path = "Qwen/Qwen3-VL-2B-Instruct"'] });
  });

  it('of ms-swift', () => {
    expect(changes('swift_args.json')).toEqual({ changed: { r: 8, learning_rate: 1e-4 }, left: ['model = "Qwen/Qwen3-VL-2B-Instruct"', 'freeze_vit = true'] });
  });

  it('of transformers', () => {
    const { changed, left } = changes('training_args.json');
    expect(changed).toEqual({ learning_rate: 1e-4, lr_scheduler_type: 'cosine', weight_decay: 0, eval_steps: 100 });
    expect(left).toEqual(['output_dir = "out"', 'warmup_steps = 0', 'bf16 = true', 'optim = "adamw_torch"', 'eval_strategy = "steps"']);
  });

  it('with numbers as text and values that nobody has here', () => {
    expect(changes('sft_badtypes.json')).toEqual({ changed: { learning_rate: 1e-4, r: 8 }, left: ['lr_scheduler_type = "cosine_with_restarts"'] });
  });

  it('name the method and the bits', () => {
    expect(readSettings('stage: dpo\nquantization_bit: 8 # int8\npref_beta: 0.2\nlora_target: q_proj,v_proj\n').config).toMatchObject({ method: 'dpo', load_in_4bit: false, load_in_8bit: true, beta: 0.2, target_modules: ['q_proj', 'v_proj'] });
    expect(readSettings('{"rlhf_type": "grpo", "quant_bits": 4}').config).toMatchObject({ method: 'grpo-trl', load_in_4bit: true });
    expect(readSettings('stage: ppo\nlora_rank: 4').left).toEqual(['stage = "ppo"']);
  });
});

describe('settings files of this page', () => {
  it('are read as they were written, also with a byte order mark and the original scripts’ names', () => {
    const config = parseTrainingConfig({ r: 3, target_modules: 'q_.*' });
    expect(readSettings(JSON.stringify(config))).toMatchObject({ config, left: [] });
    expect(readSettings(file('bom.json')).config.learning_rate).toBe(1e-4);
    expect(readSettings('{"lora_r": 4, "no_4bit": true}').config).toMatchObject({ r: 4, load_in_4bit: false });
  });

  it.each(['{', '[]', '"text"', '{"r": 0}', '{"unknown_setting": 1}', '{"__proto__": {"r": 4}}', 'a:\n  - b: 1\n', '', '__proto__: 4'])('refuse %j', (text) => {
    expect(() => readSettings(text)).toThrow(expect.objectContaining({ code: 'config' }));
  });
});
