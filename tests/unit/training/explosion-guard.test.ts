import { beforeEach, describe, expect, it } from 'vitest';
import { englishSayings } from '../../../src/protocol/sayings.ts';
import { ExplosionGuard } from '../../../src/training/explosion-guard.ts';
import { pretendBrowser } from '../storage/pretend-browser.ts';
import { toyConfig, toyRun } from './toy-run.ts';

beforeEach(() => void pretendBrowser());

/** A run whose gradients are all zero from a step on. */
const dying = (id: string, stop_on_explosion: boolean) =>
  toyRun({
    id,
    config: toyConfig({ stop_on_explosion, logging_steps: 1, save_steps: 3, max_steps: 9, eval_steps: 0 }),
    prepare: ({ model }) => {
      const step = model.optimizerStep.bind(model);
      let steps = 0;
      model.optimizerStep = async (settings) => {
        const norm = await step(settings);
        steps++;
        return steps > 4 ? { read: () => Promise.resolve(0) } : norm;
      };
    },
  });

describe('a run whose adapter has died', () => {
  it('ends at the second step without a gradient, says why, and keeps what was stored before', async () => {
    const { status, log, writer } = await dying('dead', true);
    expect(status).toBe('stopped');
    expect(log.notices.filter(({ level }) => level === 'error').map(({ key, message }) => [key, message])).toEqual([['stoppedDead', englishSayings.stoppedDead({ step: 6 })]]);
    // The next step was with the GPU already.
    expect(log.train_history.length).toBeLessThanOrEqual(7);
    expect(Object.keys(writer.directories)).toContain('checkpoint-3');
  });

  it('goes on where the settings do not say to stop', async () => {
    const { status, log } = await dying('dead-and-on', false);
    expect([status, log.train_history.length, log.notices.filter(({ level }) => level === 'error')]).toEqual(['finished', 9, []]);
  });
});

describe('the guard', () => {
  const rowsOf = (losses: readonly number[]) => losses.map((loss, i) => ({ step: i + 1, loss, grad_norm: 1 }));
  const taken = (guard: ExplosionGuard, losses: readonly number[]) => rowsOf(losses).map((row) => guard.take(row)?.key ?? null);

  it('notices a loss of guessing after it was below, where the vocabulary is known', () => {
    const uniform = Math.log(1000);
    const losses = [3, 2.5, uniform, uniform, uniform + 0.01];
    expect(taken(new ExplosionGuard('sft', 1000), losses)).toEqual([null, null, null, null, 'stoppedUniform']);
    expect(taken(new ExplosionGuard('sft', null), losses)).toEqual([null, null, null, null, null]);
    expect(taken(new ExplosionGuard('sft', 1000), losses.slice(2))).toEqual([null, null, null]);
  });

  it('forgets rows of long ago', () => {
    const uniform = Math.log(1000);
    const losses = [1, ...new Array<number>(250).fill(uniform - 0.5), uniform, uniform, uniform];
    expect(taken(new ExplosionGuard('sft', 1000), losses).at(-1)).toBeNull();
  });
});
