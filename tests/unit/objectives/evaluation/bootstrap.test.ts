import { describe, expect, it } from 'vitest';
import { draws, interval, pairedDifference } from '../../../../src/objectives/evaluation/bootstrap.ts';
import { mean, once, percentile, rootMeanSquare } from '../../../../src/objectives/evaluation/statistic.ts';

describe('bootstrap intervals', () => {
  it('are those that theory gives for a share: 1.96 · √(p(1 − p)/n)', () => {
    const values = Array.from({ length: 400 }, (_, i) => Number(i % 4 === 0));
    const { low, high } = interval(mean(values), draws(400, 7))!;
    const half = 1.96 * Math.sqrt((0.25 * 0.75) / 400);
    expect(low).toBeCloseTo(0.25 - half, 2);
    expect(high).toBeCloseTo(0.25 + half, 2);
  });

  it('are the same for the same seed', () => {
    const values = [0.1, 0.9, 0.4, 0.7, 0.2];
    expect(interval(mean(values), draws(5, 3))).toEqual(interval(mean(values), draws(5, 3)));
    expect(draws(5, 3)[0]).not.toEqual(draws(5, 4)[0]);
    expect(draws(5, 3)[0].reduce((sum, weight) => sum + weight, 0)).toBe(5);
  });

  it('of a paired difference are narrow where both models stumble over the same samples', () => {
    const hard = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 0.1 : 0.9));
    const better = hard.map((value, i) => value + 0.04 + (i % 3) * 0.001);
    const drawn = draws(200, 1);
    const difference = pairedDifference(mean(hard), mean(better), drawn, once(200))!;
    expect(difference.difference).toBeCloseTo(0.041, 3);
    expect(difference.low).toBeGreaterThan(0.04);
    expect(difference.margin).toBeLessThan(0.0002);
    const alone = interval(mean(hard), drawn)!;
    expect(alone.high - alone.low).toBeGreaterThan(0.09);
  });

  it('are none of a single sample, nor of what is rarely there', () => {
    expect(interval(mean([1]), draws(1, 1))).toBeNull();
    expect(interval(mean([null, null]), draws(2, 1))).toBeNull();
    expect(pairedDifference(mean([null]), mean([1]), draws(1, 1), once(1))).toBeNull();
  });
});

describe('figures with weights', () => {
  it('are those of the samples repeated', () => {
    expect(percentile([30, 10, 20], 0.5)([1, 1, 1])).toBe(20);
    expect(percentile([30, 10, 20], 0.95)([1, 1, 1])).toBeCloseTo(29, 12);
    expect(percentile([30, 10, 20], 0.5)([0, 3, 1])).toBe(10);
    expect(percentile([], 0.5)([])).toBeNull();
    expect(rootMeanSquare([3, null, 4])([1, 5, 1])).toBe(Math.sqrt(12.5));
  });
});
