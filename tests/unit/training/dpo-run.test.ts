import { beforeEach, describe, expect, it } from 'vitest';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { buildMethodRun, memoryStore, methodConfig, methodRun } from './toy-methods.ts';
import { never, timeless } from './toy-run.ts';

beforeEach(() => void pretendBrowser());

const config = methodConfig({ method: 'dpo', eval_steps: 4, learning_rate: 0.2, lr_scheduler_type: 'constant', warmup_ratio: 0 });

describe('a DPO run', () => {
  it('starts at ln 2 with no margin, learns to tell the answers apart, and keeps the most accurate adapter', async () => {
    const { status, log } = await methodRun({ id: 'plain', config, validate: 7 });
    expect(status).toBe('finished');
    const [first] = log.train_history;
    const last = log.train_history.at(-1)!;
    expect(first.loss).toBeCloseTo(Math.LN2, 6);
    expect(first).toMatchObject({ accuracy: 0, reward_margin: 0, 'rewards/chosen': 0, 'rewards/rejected': 0 });
    expect(last.loss).toBeLessThan(0.6);
    expect(last.reward_margin).toBeCloseTo(Number(last['rewards/chosen']) - Number(last['rewards/rejected']), 9);
    expect(log.val_history.map(({ step }) => step)).toEqual([0, 4, 8]);
    expect(log.val_history[0]).toMatchObject({ val_accuracy: 0, val_reward_margin: 0 });
    expect(Number(log.val_history[2].val_accuracy)).toBeGreaterThan(0.8);
    expect(log.best_checkpoint).toMatchObject({ metric: 'val_accuracy', path: 'best' });
    expect(log.best_checkpoint).toHaveProperty('val_reward_margin');
  });

  it('gives the same steps whether the reference is computed at once or in each step', async () => {
    const once = await methodRun({ id: 'once', config });
    const each = await methodRun({ id: 'each', config: methodConfig({ ...config, precompute_ref_log_probs: false }) });
    expect(timeless(each.log.train_history)).toEqual(timeless(once.log.train_history));
  });

  it('steps the remainder of an epoch and divides the loss by the whole accumulated batch', async () => {
    const small = await methodRun({ id: 'accumulated', config: methodConfig({ ...config, per_device_train_batch_size: 1, gradient_accumulation_steps: 4, max_steps: 2 }) });
    const large = await methodRun({ id: 'at-once', config: methodConfig({ ...config, per_device_train_batch_size: 4, gradient_accumulation_steps: 1, max_steps: 2 }) });
    expect(small.log.train_history[0].grad_norm).toBeCloseTo(large.log.train_history[0].grad_norm, 5);
    expect(small.log.train_history[1].loss).toBeCloseTo(large.log.train_history[1].loss, 5);
    expect(small.log.train_history.map(({ epoch }) => epoch)).toEqual([4 / 7, 1]);
  });

  it('goes on bit for bit after its worker was killed, without scoring the reference again', async () => {
    const whole = await methodRun({ id: 'whole', config, validate: 7 });
    const store = memoryStore();
    const cut = await buildMethodRun({
      id: 'cut',
      config,
      validate: 7,
      store,
      prepare: ({ model }) => {
        model.beforeMicroBatch = (count) => (count === 10 ? never() : undefined);
      },
    });
    void cut.run.run();
    while (cut.model.calls.filter((call) => call === 'forwardBackwardOf').length < 11) await new Promise((resolve) => setTimeout(resolve, 5));
    await cut.writer.flush();
    const resumed = await methodRun({ id: 'cut', config, validate: 7, store, resume: true });
    expect(timeless(resumed.log.train_history)).toEqual(timeless(whole.log.train_history));
    expect(store.writes).toBe(1);
    expect(resumed.log.val_history.map(({ val_loss }) => val_loss)).toEqual(whole.log.val_history.map(({ val_loss }) => val_loss));
  });

  it('trains the same with and without validation', async () => {
    const without = await methodRun({ id: 'without', config });
    const including = await methodRun({ id: 'including', config, validate: 7 });
    expect(timeless(including.log.train_history)).toEqual(timeless(without.log.train_history));
  });

  it('ends early when validations bring nothing better', async () => {
    const { log, status } = await methodRun({
      id: 'early',
      config: methodConfig({ ...config, learning_rate: 0, eval_steps: 1, early_stopping_patience: 2, max_steps: 30 }),
      validate: 7,
    });
    expect(status).toBe('finished');
    expect(log.train_history.length).toBe(3);
    expect(log.notices.map(({ key }) => key)).toContain('earlyStopped');
  });
});
