/**
 * How much a figure owes to the samples that happen to be in the set: it is computed again over sets drawn from it with
 * replacement (Efron 1979); the middle 95 % of those figures are its interval. Two models are compared on the same draws.
 */
import { uniformNumbers } from '../../protocol/uniform-numbers.ts';
import type { Statistic } from './statistic.ts';

export interface Interval {
  low: number;
  high: number;
}

/** What one model has over another. */
export interface Difference extends Interval {
  /** Second minus first, over the set as it is. */
  difference: number;
  /** Half the interval's width. */
  margin: number;
}

export const RESAMPLES = 1000;
/** With fewer samples an interval would pretend to know. */
const MIN_SAMPLES = 2;
const COVERAGE = 0.95;

/** How often each sample is in each drawn set; the same for the same count and seed. */
export function draws(samples: number, seed: number, times = RESAMPLES): Uint16Array[] {
  const random = uniformNumbers(seed);
  return Array.from({ length: samples < MIN_SAMPLES ? 0 : times }, () => {
    const weights = new Uint16Array(samples);
    for (let i = 0; i < samples; i++) weights[Math.floor(random() * samples)]++;
    return weights;
  });
}

/** Interval of a figure; null where it cannot be had in most of the draws. */
export function interval(statistic: Statistic, drawn: readonly Uint16Array[]): Interval | null {
  return middle(drawn.map(statistic), drawn.length);
}

/** By how much `second` exceeds `first`, both over the same samples; null where either measures nothing. */
export function pairedDifference(first: Statistic, second: Statistic, drawn: readonly Uint16Array[], all: ArrayLike<number>): Difference | null {
  const [a, b] = [first(all), second(all)];
  if (a === null || b === null) return null;
  const found = middle(drawn.map((weights) => {
    const [x, y] = [first(weights), second(weights)];
    return x === null || y === null ? null : y - x;
  }), drawn.length);
  return found && { difference: b - a, margin: (found.high - found.low) / 2, ...found };
}

function middle(values: readonly (number | null)[], total: number): Interval | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (sorted.length === 0 || sorted.length < total / 2) return null;
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))];
  return { low: at((1 - COVERAGE) / 2), high: at((1 + COVERAGE) / 2) };
}
