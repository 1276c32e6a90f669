import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import { settingsInUse } from '../../../src/protocol/presets.ts';
import { LORIKEET_VERSION } from '../../../src/protocol/version.ts';
import { emptyTotals, finalMetrics, logConfig } from '../../../src/training/log.ts';

describe('the log speaks the dialect of the original tools', () => {
  const config = parseTrainingConfig({ r: 64, num_train_epochs: 2, per_device_train_batch_size: 3, load_in_4bit: false, load_in_8bit: true });
  const log = logConfig(config, { modelPath: 'Qwen/Qwen3-VL-2B-Instruct', outputDir: 'outputs/x', trainData: 'train.json', validationData: 'val.json' });

  it('has every field of the original settings under its name', () => {
    expect(log).toMatchObject({
      model_path: 'Qwen/Qwen3-VL-2B-Instruct', output_dir: 'outputs/x', train_data: 'train.json', val_data: 'val.json', num_epochs: 2, batch_size: 3,
      gradient_accumulation_steps: 8, learning_rate: 2e-4, warmup_ratio: 0.1, weight_decay: 0.01, max_grad_norm: 1, lora_r: 64, lora_alpha: 32, lora_dropout: 0,
      lora_target_modules: config.target_modules, use_4bit: false, use_8bit: true, max_length: 2048, max_image_size: 512, logging_steps: 10, save_steps: 500,
      eval_steps: 500, save_total_limit: 3, seed: 42, gradient_checkpointing: true,
    });
  });

  it('keeps all our own settings beside them', () => {
    expect(log).toMatchObject(settingsInUse(config));
    expect(log).not.toHaveProperty('num_generations');
  });

  it('has final metrics with the original keys, null where there is nothing, and those of transformers', () => {
    const none = finalMetrics(emptyTotals(), { step: 0, epoch: 0 }, null, undefined);
    expect(none).toMatchObject({ best_metric: null, best_checkpoint: null, train_loss: null });
    const totals = { ...emptyTotals(), loss: 6, samples: 12, tokens: 99, elapsedMilliseconds: 4000 };
    const best = { step: 2, epoch: 1, metric: 'eval_loss', value: 0.5, path: 'best' };
    const row = { step: 3, epoch: 1, eval_loss: 0.6, eval_runtime: 2, eval_samples: 4, eval_f1: 0.7, time: '' };
    expect(finalMetrics(totals, { step: 3, epoch: 1.5 }, best, row)).toEqual({
      best_metric: 0.5, best_checkpoint: 'best', train_loss: 2, train_runtime: 4, train_samples_per_second: 3, train_steps_per_second: 0.75,
      num_tokens: 99, step: 3, epoch: 1.5, eval_loss: 0.6, eval_runtime: 2, eval_samples: 4, eval_f1: 0.7,
    });
  });
});

it('the version in logs is that of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  expect(LORIKEET_VERSION).toBe(version);
});
