/** The bundle for a cluster: its files, what it says of hostile names, and what becomes of every setting. */
import { describe, expect, it } from 'vitest';
import { bundleTexts, plainTrainerState, type HandedRun } from '../../../src/handoff/bundle.ts';
import { asCode } from '../../../src/handoff/readme.ts';
import { settingRows, unmappedSettings } from '../../../src/handoff/settings.ts';
import { METHODS, parseTrainingConfig } from '../../../src/protocol/config.ts';
import { presetSettings } from '../../../src/protocol/presets.ts';

const handed = (more: Partial<HandedRun> = {}): HandedRun => ({
  name: 'roadside',
  config: parseTrainingConfig(presetSettings('demo', 'sft')),
  base: { id: 'Qwen/Qwen3-VL-2B-Instruct', revision: '0123abc', place: 'hub' },
  step: 4,
  totalSteps: 60,
  dataFingerprint: 'f'.repeat(64),
  totals: { loss: 1 },
  startsFromAdapter: false,
  samples: { train: 3, validation: 1 },
  ...more,
});

describe('the files', () => {
  it('are the script, its modules, configurations and what they read', () => {
    expect([...bundleTexts(handed()).keys()].sort()).toEqual([
      'README.md', 'accelerate/ddp.yaml', 'accelerate/fsdp.yaml', 'accelerate/one-gpu.yaml', 'accelerate/zero3.yaml', 'lorikeet/__init__.py', 'lorikeet/answers.py', 'lorikeet/grpo.py',
      'lorikeet/log.py', 'lorikeet/losses.py', 'lorikeet/model.py', 'lorikeet/optimizer.py', 'lorikeet/order.py', 'lorikeet/reference.py', 'lorikeet/reward_answers.py', 'lorikeet/rewards.py',
      'lorikeet/samples.py', 'lorikeet/trainer.py', 'requirements.txt', 'run.json', 'train.py',
    ]);
  });

  it('hold the modules that the script imports', () => {
    const texts = bundleTexts(handed());
    const scripts = [...texts].filter(([path]) => path.endsWith('.py'));
    const imported = scripts.flatMap(([, text]) => [...text.matchAll(/^from (?:lorikeet)?\.(\w+) import/gm)].map(([, name]) => `lorikeet/${name}.py`));
    expect(imported.length).toBeGreaterThan(5);
    for (const path of imported) expect(texts.has(path), path).toBe(true);
  });

  it('name the base model with its commit', () => {
    const texts = bundleTexts(handed());
    expect(JSON.parse(texts.get('run.json')!)).toMatchObject({ base_model: { id: 'Qwen/Qwen3-VL-2B-Instruct', revision: '0123abc' }, step: 4, total_steps: 60 });
    expect(texts.get('README.md')).toContain('`Qwen/Qwen3-VL-2B-Instruct` at commit `0123abc`');
    expect(bundleTexts(handed({ base: { id: 'mine', revision: null, place: 'folder' } })).get('README.md')).toContain('--model FOLDER');
  });
});

describe('hostile names', () => {
  const hostile = 'a`b|c\n# Ha\u0000<script>';

  it('stay inside their code span and their cell', () => {
    expect(asCode(hostile)).toBe('`aˋb\\|c # Ha <script>`');
    const readme = bundleTexts(handed({ name: hostile, base: { id: hostile, revision: null, place: 'folder' } })).get('README.md')!;
    expect(readme.split('\n').filter((line) => line.startsWith('# '))).toHaveLength(1);
    expect(readme.split('\n')[0]).toBe('# `aˋb\\|c # Ha <script>`, on from step 4');
  });

  it('come back from run.json as they are', () => {
    expect(JSON.parse(bundleTexts(handed({ name: hostile })).get('run.json')!)).toMatchObject({ name: hostile });
  });
});

describe('settings', () => {
  it.each(METHODS)('of %s all have a place or a reason', (method) => {
    expect(unmappedSettings(parseTrainingConfig({ method }))).toEqual([]);
  });

  it('are carried by name, or it is said why not', () => {
    const rows = settingRows(parseTrainingConfig({ lora_dropout: 0.1, early_stopping_patience: 3, mixed_precision: 'f16' }));
    const of = (key: string) => rows.find((row) => row.key === key);
    expect(of('learning_rate')).toMatchObject({ value: 2e-4, where: 'TrainingArguments', carried: true });
    expect(of('lora_dropout')).toMatchObject({ value: 0.1, carried: false });
    expect(of('early_stopping_patience')?.carried).toBe(false);
    expect(of('mixed_precision')?.carried).toBe(false);
    const readme = bundleTexts(handed({ config: parseTrainingConfig({ lora_dropout: 0.1 }) })).get('README.md')!;
    expect(readme).toContain('- `lora_dropout` `0.1`: The same rate drops other elements');
  });

  it('of reward training act in TRL’s trainer and the rewards; validations and groups drawn again are not carried', () => {
    const config = parseTrainingConfig({ method: 'grpo-trl', loss_type: 'dapo', reward_scheme: 'trl_legacy', redraw_zero_variance: 2, eval_steps: 10 });
    const rows = settingRows(config);
    const of = (key: string) => rows.find((row) => row.key === key);
    expect(of('temperature')).toMatchObject({ where: 'GRPOConfig', carried: true });
    expect(of('per_device_train_batch_size')?.where).toContain('lorikeet/grpo.py');
    expect(of('reward_scheme')).toMatchObject({ value: 'trl_legacy', where: 'lorikeet/rewards.py' });
    expect([of('redraw_zero_variance')?.carried, of('eval_steps')?.carried]).toEqual([false, false]);
    expect(of('eval_num_samples')).toBeUndefined();
    expect(bundleTexts(handed({ config })).get('README.md')).toContain('GRPOTrainer samples the answers');
  });

  it('leave nothing to say where all are carried', () => {
    const config = parseTrainingConfig({ eval_steps: 0 });
    expect(settingRows(config).filter(({ carried }) => !carried)).toEqual([]);
    expect(bundleTexts(handed({ config })).get('README.md')).toContain('Every setting of this run is carried.');
  });
});

it('gives transformers a trainer state without keys of ours', () => {
  const state = JSON.parse(plainTrainerState(JSON.stringify({ global_step: 4, stateful_callbacks: {}, lorikeet: { format: 1 } }))) as Record<string, unknown>;
  expect(Object.keys(state)).toEqual(['global_step', 'stateful_callbacks']);
  expect(state.stateful_callbacks).toMatchObject({ TrainerControl: { args: { should_save: false } } });
});
