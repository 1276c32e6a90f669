/** Preference and reward training on the real engine: whole runs of a few steps, one of them killed between sampling and update. */
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTrainingConfig, type TrainingConfigInput } from '../../src/protocol/config.ts';
import type { TrainingLog } from '../../src/protocol/log.ts';
import { CLOCK_KEYS } from '../../src/training/log.ts';
import { openReal, type RealBrowser, type RealPage } from '../../tools/demo/real-page.ts';
import { kill, prepareDataset } from '../../tools/demo/small-dataset.ts';

const shared: TrainingConfigInput = { r: 4, lora_alpha: 8, lora_dropout: 0, learning_rate: 2e-3, logging_steps: 1, max_steps: 3, save_steps: 2, max_length: 512, max_image_size: 0 };
const dpo = parseTrainingConfig({ ...shared, method: 'dpo', per_device_train_batch_size: 2, gradient_accumulation_steps: 1, eval_steps: 3, eval_num_samples: 2 });
const grpo = parseTrainingConfig({
  ...shared,
  method: 'grpo',
  per_device_train_batch_size: 1,
  gradient_accumulation_steps: 2,
  num_generations: 2,
  max_completion_length: 12,
  temperature: 1,
  top_p: 1,
  beta: 0.04,
  eval_steps: 3,
  eval_num_samples: 2,
  reward_scheme: 'original',
  // Almost any two answers differ in it, so that groups have spread although nothing has been learned yet.
  custom_rewards: [{ name: 'letters', source: 'function reward({ completion }) { return [...completion].reduce((sum, letter) => sum + (letter.codePointAt(0) % 7), 0) / 10; }' }],
});

let browser: RealBrowser;
let folder: string;
const faults: string[] = [];

const logOf = (files: Record<string, Uint8Array>) => JSON.parse(new TextDecoder().decode(files['training_log.json'])) as TrainingLog;
const rowsOf = (files: Record<string, Uint8Array>) => logOf(files).train_history.map((row) => Object.fromEntries(Object.entries(row).filter(([key]) => !(CLOCK_KEYS as string[]).includes(key))));

async function prepare({ page, train }: RealPage, config: typeof dpo, records: string): Promise<void> {
  await train.importSettings(config);
  await train.chooseModel(undefined);
  await page.getByTestId('train-folder').setInputFiles(join(folder, records));
  await page.getByTestId('plan-card').waitFor({ timeout: 120_000 });
}

async function trainToEnd(real: RealPage): Promise<Record<string, Uint8Array>> {
  const ended = real.until((event) => event.type === 'finished');
  await real.train.start();
  await ended;
  return unzipSync(await real.train.downloadRun());
}

beforeAll(async () => {
  browser = await openReal((text) => faults.push(text));
  folder = browser.scratch;
  prepareDataset(join(folder, 'pairs'), { 'dpo_train.json': 6, 'dpo_val.json': 2 });
  prepareDataset(join(folder, 'prompts'), { 'sft_train.json': 5, 'sft_val.json': 2 });
}, 200_000);

afterAll(() => browser?.close());

describe('a DPO run', () => {
  it('starts at ln 2 against its reference and leaves the tree of the original', async () => {
    const real = await browser.open();
    await prepare(real, dpo, 'pairs');
    const files = await trainToEnd(real);
    const log = logOf(files);
    expect(log.train_history[0].loss).toBeCloseTo(Math.LN2, 5);
    expect(log.train_history[2]).toHaveProperty('reward_margin');
    expect(log.train_history[2].reward_margin).not.toBe(0);
    expect(log.val_history.map(({ step }) => step)).toEqual([0, 3]);
    expect(log.val_history[1]).toMatchObject({ val_accuracy: expect.any(Number) as number, val_loss: expect.any(Number) as number });
    expect(Object.keys(files)).toEqual(expect.arrayContaining(['training_log.json', 'dpo_config.json', 'best/adapter_config.json', 'final/adapter_model.safetensors', 'checkpoint-2/optimizer.safetensors']));
    await real.page.close();
  }, 300_000);
});

describe('a GRPO run', () => {
  it('killed between sampling and update goes on as if nothing had been', async () => {
    const real = await browser.open();
    await prepare(real, grpo, 'prompts');
    const whole = await trainToEnd(real);
    const row = logOf(whole).train_history[0];
    expect(row).toMatchObject({ 'rewards/letters/mean': expect.any(Number) as number, 'rewards/bbox/mean': expect.any(Number) as number, kl: expect.any(Number) as number });
    expect(row.kl).toBeCloseTo(0, 4);
    expect(row.grad_norm).toBeGreaterThan(0);
    expect(logOf(whole).val_history.at(-1)).toMatchObject({ val_reward: expect.any(Number) as number, val_completeness: expect.any(Number) as number });
    expect(Object.keys(whole)).toEqual(expect.arrayContaining(['grpo_config.json', 'checkpoint-samples-4/adapter_config.json', 'best/adapter_config.json', 'completions/completions_00001.jsonl']));

    await real.page.getByTestId('new-run').click();
    const first = real.until((event) => event.type === 'train');
    await real.train.start();
    await first;
    await real.until((event) => event.type === 'progress' && event.stage === 'scoring' && event.done === event.total);
    await kill(real.page);

    const again = await browser.open();
    await again.page.getByTestId('interrupted').waitFor();
    const finished = again.until((event) => event.type === 'finished');
    await again.page.getByTestId('resume').click();
    await finished;
    const resumed = unzipSync(await again.train.downloadRun());
    expect(rowsOf(resumed)).toEqual(rowsOf(whole));
    expect(Buffer.compare(resumed['final/adapter_model.safetensors'], whole['final/adapter_model.safetensors'])).toBe(0);
    expect(Buffer.compare(resumed['completions/completions_00003.jsonl'], whole['completions/completions_00003.jsonl'])).toBe(0);
  }, 400_000);
});
