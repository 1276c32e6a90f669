import { describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import { gridValues, planSweep, relativeLength, sweepConfig } from '../../../src/protocol/sweep.ts';
import type { SweepAxis, SweepDefinition } from '../../../src/protocol/sweep.ts';

const base = parseTrainingConfig({ max_steps: 60, r: 16 });
const list = (key: SweepAxis['key'], ...values: unknown[]): SweepAxis => ({ key, kind: 'list', values });
const range = (key: SweepAxis['key'], from: number, to: number, points = 3, change: Partial<Extract<SweepAxis, { kind: 'range' }>> = {}): SweepAxis => ({
  key, kind: 'range', from, to, scale: 'linear', whole: false, points, ...change,
});
const define = (axes: SweepAxis[], change: Partial<SweepDefinition> = {}): SweepDefinition => ({ name: 's', search: 'grid', seed: 1, maxRuns: 20, axes, ...change });

describe('a grid', () => {
  it('combines every value with every other, the last setting fastest', () => {
    const { runs, gridSize } = planSweep(base, define([list('learning_rate', 1e-4, 1e-3), list('r', 8, 16, 16)]));
    expect(runs).toEqual([
      { learning_rate: 1e-4, r: 8 },
      { learning_rate: 1e-4, r: 16 },
      { learning_rate: 1e-3, r: 8 },
      { learning_rate: 1e-3, r: 16 },
    ]);
    expect(gridSize).toBe(4);
    expect(sweepConfig(base, runs[0])).toMatchObject({ learning_rate: 1e-4, r: 8, max_steps: 60 });
  });

  it('spreads ranges evenly or by factors, bounds exactly, whole numbers once', () => {
    expect(gridValues(range('weight_decay', 0, 0.1, 5))).toEqual([0, 0.025, 0.05, 0.075, 0.1]);
    expect(gridValues(range('learning_rate', 1e-5, 1e-3, 3, { scale: 'log' }))).toEqual([1e-5, 1e-4, 1e-3]);
    expect(gridValues(range('r', 1, 3, 9, { whole: true }))).toEqual([1, 2, 3]);
    expect(gridValues(range('r', 8, 8, 5, { whole: true }))).toEqual([8]);
  });

  it('is cut off where it is told to, and says how large it would be', () => {
    const { runs, gridSize } = planSweep(base, define([range('learning_rate', 0.001, 1, 100), range('weight_decay', 0, 1, 100)], { maxRuns: 7 }));
    expect([runs.length, gridSize]).toEqual([7, 10_000]);
  });
});

describe('a random search', () => {
  const axes = [range('learning_rate', 1e-5, 1e-2, 3, { scale: 'log' }), range('r', 4, 64, 3, { whole: true }), list('use_rslora', true, false)];
  const draw = (seed: number, maxRuns = 60) => planSweep(base, define(axes, { search: 'random', seed, maxRuns })).runs;

  it('is the same for the same seed, another for another, and longer ones begin alike', () => {
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    expect(draw(3, 60).slice(0, 10)).toEqual(draw(3, 10));
  });

  it('stays within bounds and spreads a logarithmic range over its powers of ten', () => {
    const rates = draw(1, 200).map((run) => run.learning_rate as number);
    expect(Math.min(...rates)).toBeGreaterThanOrEqual(1e-5);
    expect(Math.max(...rates)).toBeLessThanOrEqual(1e-2);
    for (const power of [-5, -4, -3]) {
      const share = rates.filter((rate) => rate >= 10 ** power && rate < 10 ** (power + 1)).length / 200;
      expect(share, String(power)).toBeGreaterThan(0.22);
    }
    expect(draw(1).every((run) => Number.isInteger(run.r))).toBe(true);
  });

  it('never repeats a combination and ends when there is none left', () => {
    const { runs } = planSweep(base, define([list('use_rslora', true, false)], { search: 'random', maxRuns: 50 }));
    expect(runs).toHaveLength(2);
  });
});

describe('a sweep that cannot be', () => {
  it.each<[string, SweepDefinition, string | undefined, RegExp]>([
    ['nothing varies', define([]), undefined, /No setting varies/],
    ['no runs', define([list('r', 8)], { maxRuns: 0 }), undefined, /1 to 200/],
    ['too many runs', define([list('r', 8)], { maxRuns: 201 }), undefined, /1 to 200/],
    ['unknown setting', define([list('__proto__' as never, 8)]), '__proto__', /not a setting/],
    ['another method', define([list('method' as never, 'dpo')]), 'method', /not a setting/],
    ['twice', define([list('r', 8), list('r', 16)]), 'r', /varies twice/],
    ['no values', define([list('r')]), 'r', /no values/],
    ['a wrong value', define([list('r', 8, -1)]), 'r', /Setting r/],
    ['a wrong kind of value', define([list('lr_scheduler_type', 'cosine', 'zigzag')]), 'lr_scheduler_type', /lr_scheduler_type/],
    ['bounds the wrong way round', define([range('learning_rate', 1, 0.1)]), 'learning_rate', /lower bound/],
    ['no number', define([range('learning_rate', Number.NaN, 1)]), 'learning_rate', /two numbers/],
    ['a logarithm of zero', define([range('learning_rate', 0, 1, 3, { scale: 'log' })]), 'learning_rate', /above 0/],
    ['a bound that is not whole', define([range('r', 1.5, 4, 3, { whole: true })]), 'r', /whole/],
    ['too many points', define([range('learning_rate', 0.1, 1, 101)]), 'learning_rate', /100/],
    ['a range that leaves the allowed', define([range('lora_dropout', 0, 2)]), 'lora_dropout', /lora_dropout/],
  ])('is refused: %s', (_what, definition, field, message) => {
    expect(() => planSweep(base, definition)).toThrow(expect.objectContaining({ code: 'config', message: expect.stringMatching(message), place: field === undefined ? {} : { field } }));
  });
});

it('estimates how long a run takes against the common one', () => {
  expect(relativeLength(base, { max_steps: 120 })).toBe(2);
  expect(relativeLength(base, { per_device_train_batch_size: 3 })).toBe(3);
  expect(relativeLength(base, { learning_rate: 1 })).toBe(1);
  expect(relativeLength(parseTrainingConfig({ num_train_epochs: 2 }), { num_train_epochs: 3 })).toBe(1.5);
});
