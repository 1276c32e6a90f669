import { beforeEach, describe, expect, it } from 'vitest';
import type { PackedBatch } from '../../../src/processing/types.ts';
import { readRunFiles } from '../../../src/storage/export-run.ts';
import { listCompletionSteps, readCompletions } from '../../../src/storage/runs.ts';
import type { Scorer } from '../../../src/training/methods/scorer.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { buildMethodRun, methodConfig, methodRun, toyScorer } from './toy-methods.ts';
import { never, timeless } from './toy-run.ts';

beforeEach(() => void pretendBrowser());

const base = { num_generations: 4, max_completion_length: 6, per_device_train_batch_size: 2, gradient_accumulation_steps: 2, learning_rate: 0.3, lr_scheduler_type: 'constant', warmup_ratio: 0, temperature: 1, top_p: 1, eval_steps: 0 } as const;
const config = methodConfig({ method: 'grpo', ...base, beta: 0.02, max_steps: 10 });
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('a GRPO run', () => {
  it('makes rewarded answers more likely, and logs rewards and their terms', async () => {
    const { status, log } = await methodRun({ id: 'plain', config: methodConfig({ ...config, max_steps: 40 }) });
    expect(status).toBe('finished');
    const rewards = log.train_history.map(({ reward }) => Number(reward));
    expect(mean(rewards.slice(-8))).toBeGreaterThan(mean(rewards.slice(0, 8)) + 0.2);
    const [row] = log.train_history;
    expect(row.lr).toBe(row.learning_rate);
    for (const key of ['reward_std', 'kl', 'frac_reward_zero_std', 'rewards/fives/mean', 'rewards/brevity/std', 'completions/mean_length', 'completions/clipped_ratio', 'entropy', 'clip_ratio/region_mean', 'generate_ms', 'score_ms']) {
      expect(row, key).toHaveProperty([key]);
    }
    expect(row.kl).toBeCloseTo(0, 6);
    expect(log.train_history.map(({ samples }) => samples).slice(0, 3)).toEqual([4, 8, 9]);
  });

  it('lays each prompt of a micro-batch down once, for its model before the updates and for the reference', async () => {
    const batches: PackedBatch[] = [];
    const settings = methodConfig({ ...config, num_iterations: 2, max_steps: 2 });
    const { model } = await methodRun({
      id: 'shared',
      config: settings,
      prepare: ({ model: toy }) => {
        const score = toy.scoreTokens.bind(toy);
        toy.scoreTokens = (batch, options) => (batches.push(batch), score(batch, options));
      },
    });
    expect(model.calls).toEqual(expect.arrayContaining(['scoreTokens:policy', 'scoreTokens:reference']));
    expect(batches).toHaveLength(6);
    for (const { prefixes, sampleCount, tokenCount, targetIds } of batches) {
      expect(prefixes).toBeDefined();
      expect(sampleCount).toBe(8);
      // Every token but those of two prompts, four to eight each, is an answer's.
      expect(tokenCount - targetIds.length).toBeLessThanOrEqual(16);
    }
  });

  it('goes on bit for bit after a kill between sampling and update', async () => {
    const whole = await methodRun({ id: 'whole', config });
    const cut = await buildMethodRun({
      id: 'cut',
      config,
      prepare: ({ model }) => {
        model.beforeMicroBatch = (count) => (count === 9 ? never() : undefined);
      },
    });
    void cut.run.run();
    while (cut.model.calls.filter((call) => call === 'forwardBackwardOf').length < 10) await new Promise((resolve) => setTimeout(resolve, 5));
    await cut.writer.flush();
    const resumed = await methodRun({ id: 'cut', config, resume: true });
    expect(timeless(resumed.log.train_history)).toEqual(timeless(whole.log.train_history));
  });

  it.each([1, 3])('goes on bit for bit from a save in the middle of a rollout that serves %i updates', async (num_iterations) => {
    const settings = methodConfig({ ...config, num_iterations });
    const whole = await methodRun({ id: `whole-${num_iterations}`, config: settings });
    let saved: Promise<number> | undefined;
    const cut = await buildMethodRun({
      id: `cut-${num_iterations}`,
      config: settings,
      prepare: ({ model, run }) => {
        model.beforeMicroBatch = (count) => {
          if (count === 8) saved = run.control.saveNow();
          return count === 9 ? never() : undefined;
        };
      },
    });
    void cut.run.run();
    while (!saved) await new Promise((resolve) => setTimeout(resolve, 5));
    await saved;
    await cut.writer.flush();
    const resumed = await buildMethodRun({ id: `cut-${num_iterations}`, config: settings, resume: true });
    await resumed.run.restore();
    await resumed.run.run();
    expect(timeless(resumed.writer.log().train_history)).toEqual(timeless(whole.log.train_history));
    // What was sampled before the save is not sampled again.
    const rollouts = Math.ceil(10 / num_iterations) - Math.floor(4 / num_iterations) - 1;
    expect(resumed.model.calls.filter((call) => call === 'generate').length).toBe(rollouts);
  });

  it('on further updates of the same answers the ratio moves away from 1', async () => {
    const { log, model } = await methodRun({ id: 'iterations', config: methodConfig({ ...config, num_iterations: 2, learning_rate: 1 }) });
    expect(model.calls.filter((call) => call === 'generate').length).toBe(5);
    expect(log.train_history[0]['clip_ratio/region_mean']).toBe(0);
    expect(Math.max(...log.train_history.map((row) => Number(row['clip_ratio/region_mean'])))).toBeGreaterThan(0);
    expect(log.train_history.map(({ samples }) => samples).slice(0, 4)).toEqual([4, 4, 8, 8]);
  });

  it('draws groups without spread again when asked to, and says how many', async () => {
    let calls = 0;
    const lazy: Scorer = { ...toyScorer, score: (answers) => Promise.resolve({ rewards: answers.map((_, i) => [calls++ < 16 ? 0 : i % 2, 0]), faults: [] }) };
    const { log } = await methodRun({ id: 'redraw', scorer: lazy, config: methodConfig({ ...config, max_steps: 1, redraw_zero_variance: 1 }) });
    expect(log.train_history[0]).toMatchObject({ redrawn_groups: 4, frac_reward_zero_std: 0 });
  });

  it('survives a reward that gives nothing, says so, and lets those answers weigh nothing', async () => {
    const broken: Scorer = { ...toyScorer, score: (answers) => Promise.resolve({ rewards: answers.map((_, i) => (i % 2 === 0 ? [null, null] : [i, 0])), faults: [{ name: 'fives', count: 8, reason: 'it returned NaN' }] }) };
    const { log, faults, status } = await methodRun({ id: 'broken', scorer: broken, config: methodConfig({ ...config, max_steps: 1 }) });
    expect(status).toBe('finished');
    expect(faults).toEqual([{ name: 'fives', count: 8, reason: 'it returned NaN' }]);
    expect(Number.isFinite(log.train_history[0].loss)).toBe(true);
    const [group] = await readCompletions('broken', 1);
    expect(group.completions.map(({ reward }) => reward === null)).toEqual([true, false, true, false]);
    expect(group.completions[0].advantage).toBe(0);
  });

  it('keeps the sampled answers of logged steps, and names checkpoints by samples', async () => {
    await methodRun({ id: 'kept', config: methodConfig({ ...config, max_steps: 4, save_steps: 8 }) });
    expect(await listCompletionSteps('kept')).toEqual([1, 2, 3, 4]);
    const [group] = await readCompletions('kept', 2);
    expect(group.completions).toHaveLength(4);
    expect(group.completions[0]).toMatchObject({ rewards: { fives: expect.any(Number) as number, brevity: expect.any(Number) as number } });
    const paths = (await readRunFiles('kept')).map(({ path }) => path);
    expect(paths).toContain('grpo_config.json');
    expect(paths).toContain('checkpoint-samples-8/adapter_model.safetensors');
    expect(paths).toContain('completions/completions_00002.jsonl');
  });

  it('in TRL’s units counts completions, and names metrics as TRL does', async () => {
    const trl = methodConfig({ method: 'grpo-trl', ...base, per_device_train_batch_size: 8, gradient_accumulation_steps: 1, eval_steps: 2, max_steps: 4 });
    const { log, writer } = await methodRun({ id: 'trl', config: trl, validate: 3 });
    expect(log.train_history[0]).not.toHaveProperty('lr');
    expect(log.train_history[0]).not.toHaveProperty('kl');
    expect(log.train_history.map(({ samples }) => samples)).toEqual([2, 4, 6, 8]);
    expect(log.val_history.map((row) => Object.keys(row).filter((key) => key.startsWith('eval_reward')))).toContainEqual(['eval_reward', 'eval_rewards/fives/mean', 'eval_rewards/brevity/mean']);
    expect(writer.best).toMatchObject({ metric: 'eval_reward' });
  });

  it('validates with the original’s names, and trains the same with and without', async () => {
    const without = await methodRun({ id: 'without', config });
    const including = await methodRun({ id: 'including', config: methodConfig({ ...config, eval_steps: 3, eval_temperature: 1 }), validate: 3 });
    expect(timeless(including.log.train_history)).toEqual(timeless(without.log.train_history));
    expect(including.log.val_history[0]).toMatchObject({ step: 3, samples: 9, val_reward: expect.any(Number) as number, val_fives: expect.any(Number) as number });
  });
});
