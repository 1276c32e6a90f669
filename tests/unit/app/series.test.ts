import { describe, expect, it } from 'vitest';
import { alignSeries, debiasedEma, lastValue, logTicks, nearest, paddedRange, pointsOf, positiveOnly } from '../../../src/app/charts/series.ts';

describe('debiasedEma', () => {
  it('equals the weighted mean written out', () => {
    const values = [3, 1, 4, 1, 5];
    const w = 0.6;
    values.forEach((_, n) => {
      const weights = values.slice(0, n + 1).map((_value, i) => w ** (n - i));
      const expected = weights.reduce((sum, weight, i) => sum + weight * values[i], 0) / weights.reduce((sum, weight) => sum + weight, 0);
      expect(debiasedEma(values, w)[n]).toBeCloseTo(expected, 12);
    });
  });

  it('starts at the first value and keeps a constant', () => {
    expect(debiasedEma([7, 7, 7], 0.98)).toEqual([7, 7, 7].map((value) => expect.closeTo(value, 10)));
  });

  it('does not smooth at weight 0', () => expect(debiasedEma([2, 9, 4], 0)).toEqual([2, 9, 4]));

  it('steps over what is not finite', () => {
    const smooth = debiasedEma([2, NaN, null, 2], 0.5);
    expect(smooth[1]).toBeNull();
    expect(smooth[2]).toBeNull();
    expect(smooth[3]).toBeCloseTo(2, 12);
  });
});

describe('series', () => {
  const rows = [
    { step: 1, loss: 3 },
    { step: 2, loss: NaN },
    { step: 4, loss: 1 },
    { step: 5, other: 9 },
  ];

  it('picks the finite values of one metric', () => expect(pointsOf(rows, 'loss', ({ step }) => step)).toEqual({ at: [1, 4], values: [3, 1] }));

  it('aligns lines of different steps', () => {
    const { x, ys } = alignSeries([
      { at: [1, 2, 3], values: [10, 20, 30] },
      { at: [0, 2], values: [5, 6] },
    ]);
    expect(x).toEqual([0, 1, 2, 3]);
    expect(ys).toEqual([
      [null, 10, 20, 30],
      [5, null, 6, null],
    ]);
  });

  it('aligns equal, empty and repeated steps', () => {
    const { x, ys } = alignSeries([
      { at: [1, 1, 2], values: [5, 6, 7] },
      { at: [], values: [] },
    ]);
    expect(x).toEqual([1, 2]);
    expect(ys).toEqual([
      [6, 7],
      [null, null],
    ]);
    expect(alignSeries([])).toEqual({ x: [], ys: [] });
  });

  it('drops what has no logarithm', () => expect(positiveOnly([1, 0, -2, null])).toEqual([1, null, null, null]));

  it('finds range, nearest step and last value', () => {
    expect(paddedRange([[null]], false)).toBeNull();
    const range = paddedRange([[2, 4, null]], false) as [number, number];
    expect(range[0]).toBeLessThan(2);
    expect(range[1]).toBeGreaterThan(4);
    expect(paddedRange([[0.01, 5]], false)?.[0]).toBe(0);
    expect(paddedRange([[0, 0.5, 5]], true)?.[0]).toBeCloseTo(0.5 / 1.15, 10);
    expect(nearest([0, 10, 20], 14)).toBe(1);
    expect(nearest([0, 10, 20], 16)).toBe(2);
    expect(nearest([5], 99)).toBe(0);
    expect(lastValue([null, 3, null], 2)).toBe(3);
    expect(lastValue([null], 0)).toBeNull();
  });

  it('gives round logarithmic ticks inside the range, at least two', () => {
    for (const [low, high] of [[0.16, 8], [1, 2], [1e-6, 1e3], [0.2, 0.5]]) {
      const ticks = logTicks(low, high);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(12);
      for (const tick of ticks) expect(tick >= low && tick <= high).toBe(true);
    }
    expect(logTicks(0.16, 8)).toEqual([0.2, 0.5, 1, 2, 5]);
    expect(logTicks(1.2, 9)).toEqual([2, 3, 5, 7]);
    expect(logTicks(0, 1)).toEqual([]);
  });
});
