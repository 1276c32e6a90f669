import { describe, expect, it } from 'vitest';
import { axesOf, placesOf } from '../../../src/app/analysis/axes.ts';
import { groupOf } from '../../../src/app/analysis/groups.ts';
import { GrowingHistory, packedHistory } from '../../../src/app/analysis/history.ts';
import { alignLines, inWindow, seenRange, seriesOver, smooth, timeWeightedEma, valueAt } from '../../../src/app/analysis/series.ts';
import { packRun } from '../../../src/reports/packed-run.ts';
import { readRun } from '../reports/logs.ts';

const histories = (name: string) => {
  const { train, validation } = packRun(readRun(name));
  return { train: packedHistory(train), validation: packedHistory(validation) };
};

const growing = (rows: { step: number; [key: string]: unknown }[]) => {
  const history = new GrowingHistory();
  history.follow(rows);
  return history;
};

describe('axes', () => {
  it('are only those that the rows know', () => {
    expect(axesOf(histories('original-sft/training_log.json'))).toEqual(['step', 'epoch']);
    expect(axesOf(histories('original-grpo/training_log.json'))).toEqual(['step', 'epoch', 'samples']);
    expect(axesOf(histories('lorikeet/training_log.json'))).toEqual(['step', 'epoch', 'samples', 'tokens', 'relative', 'wall']);
    expect(axesOf(histories('llama-factory/trainer_log.jsonl'))).toContain('relative');
  });

  it('put a validation at the tokens of its step, or of the last step before', () => {
    const train = growing([{ step: 2, num_tokens: 20 }, { step: 4, num_tokens: 50 }]);
    const validation = growing([{ step: 2, eval_loss: 1 }, { step: 3, eval_loss: 1 }, { step: 9, eval_loss: 1 }]);
    expect([...(placesOf({ train, validation }, 'tokens').validation as Float64Array)]).toEqual([20, 20, 50]);
  });

  it('count relative time from the first date where the log has no clock', () => {
    const train = growing([{ step: 1, time: '2026-01-01T00:00:00Z' }, { step: 2, time: '2026-01-01T00:01:30Z' }]);
    expect([...(placesOf({ train, validation: growing([]) }, 'relative').train as Float64Array)]).toEqual([0, 90]);
  });
});

describe('a growing history', () => {
  it('takes new rows, and starts again where a resumed run replaced some', () => {
    const rows: { step: number; loss: number; late?: number }[] = [{ step: 1, loss: 3 }, { step: 2, loss: 2 }];
    const history = growing(rows);
    rows.push({ step: 3, loss: 1, late: 7 });
    history.follow(rows);
    expect(history.metrics()).toEqual(['loss', 'late']);
    expect(seriesOver(history, 'late', history.steps)).toEqual({ at: [3], values: [7] });
    rows.splice(1, 2, { step: 2, loss: 9 }, { step: 3, loss: 8 }, { step: 4, loss: 7 });
    history.follow(rows);
    expect(seriesOver(history, 'loss', history.steps).values).toEqual([3, 9, 8, 7]);
    expect(history.column('late')).toBeUndefined();
  });
});

describe('a series', () => {
  it('has a gap where the log has no number, and nothing where it has no key', () => {
    const history = growing([{ step: 1, loss: 1 }, { step: 2, loss: NaN }, { step: 3 }, { step: 4, loss: 4 }]);
    expect(seriesOver(history, 'loss', history.steps)).toEqual({ at: [1, 2, 4], values: [1, null, 4] });
  });

  it('is sorted where steps go back', () => {
    const history = growing([{ step: 5, loss: 5 }, { step: 3, loss: 3 }]);
    expect(seriesOver(history, 'loss', history.steps)).toEqual({ at: [3, 5], values: [3, 5] });
  });
});

describe('smoothing by time', () => {
  it('follows the formula', () => {
    const weight = 0.64;
    const fade = 0.8 ** 500;
    const [first, second, third] = timeWeightedEma({ at: [0, 5, 10], values: [1, 2, 4] }, weight);
    expect(first).toBe(1);
    expect(second).toBeCloseTo((1 * fade + 2) / (fade + 1), 12);
    expect(third).toBeCloseTo(((1 * fade + 2) * fade + 4) / ((fade + 1) * fade + 1), 12);
  });

  it('averages dense points and leaves far ones alone', () => {
    const dense = Array.from({ length: 2001 }, (_, i) => i);
    const smoothed = smooth({ at: dense, values: dense.map((i) => i % 2) }, 'twema', 0.98).values as number[];
    expect(smoothed[1500]).toBeCloseTo(0.5, 1);
    expect(timeWeightedEma({ at: [0, 500, 1000], values: [1, 0, 1] }, 0.5)[2]).toBeCloseTo(1, 6);
    expect(timeWeightedEma({ at: [1], values: [3] }, 0.9)).toEqual([3]);
    expect(timeWeightedEma({ at: [1, 2], values: [3, null] }, 0)).toEqual([3, null]);
  });
});

describe('a window', () => {
  const long = { at: Array.from({ length: 10_000 }, (_, i) => i), values: Array.from({ length: 10_000 }, (_, i) => (i === 5000 ? 99 : Math.sin(i))) };

  it('keeps the peak when seen whole and is exact when zoomed in', () => {
    const whole = inWindow(long, 0, 9999, 300);
    expect(whole.at.length).toBeLessThanOrEqual(1500);
    expect(Math.max(...(whole.values as number[]))).toBe(99);
    expect(inWindow(long, 4990, 5010, 300).at).toEqual(Array.from({ length: 23 }, (_, i) => 4989 + i));
  });

  it('sees the range of what lies in it, with or without outliers', () => {
    expect(seenRange([long], 4999, 5001, { outliers: true, log: false })).toEqual([Math.sin(4999), 99]);
    const [low, high] = seenRange([long], 0, 9999, { outliers: false, log: false })!;
    expect(high).toBeLessThanOrEqual(1);
    expect(low).toBeGreaterThanOrEqual(-1);
    expect(seenRange([long], 0, 0.5, { outliers: true, log: true })).toBeNull();
  });
});

describe('aligned lines', () => {
  it('tell a missing point from a gap', () => {
    const { x, ys } = alignLines([{ at: [1, 2, 3], values: [1, null, 3] }, { at: [2.5], values: [9] }]);
    expect(x).toEqual([1, 2, 2.5, 3]);
    expect(ys).toEqual([[1, null, undefined, 3], [undefined, undefined, 9, undefined]]);
  });

  it('read the last value at or before a place', () => {
    const series = { at: [2, 4], values: [20, 40] };
    expect([1, 2, 3, 4, 9].map((place) => valueAt(series, place))).toEqual([null, 20, 20, 40, 40]);
  });
});

describe('groups', () => {
  it.each([
    ['loss', 'main'], ['eval_loss', 'main'], ['val_accuracy', 'main'], ['val_reward', 'reward'], ['kl', 'reward'], ['eval_bbox_iou', 'detection'],
    ['learning_rate', 'optimizer'], ['lr', 'optimizer'], ['grad_norm', 'optimizer'], ['tokens_per_second', 'speed'], ['gpu_memory_mb', 'speed'], ['<script>', 'other'],
  ])('%s belongs to %s', (metric, group) => expect(groupOf(metric)).toBe(group));
});
