/** Lines from columns: a metric over an axis, smoothed, cut to what is seen, thinned without losing a peak. Pure. */
import { minMaxBins } from '../../reports/bins.ts';
import { debiasedEma } from '../charts/series.ts';
import type { Places } from './axes.ts';
import type { History } from './history.ts';

/** Places ascend. null is a gap: the log has the metric here, but no number. */
export interface Series {
  at: number[];
  values: (number | null)[];
}

export type SmoothingKind = 'ema' | 'twema';

/** How many points of its range a time-weighted average counts as one step (docs.wandb.ai, line plot smoothing). */
const VIEWPORT_SCALE = 1000;

/** One metric over an axis, sorted by place; rows whose place is unknown are left out. */
export function seriesOver(history: History, metric: string, places: Places): Series {
  const column = history.column(metric);
  if (!column) return { at: [], values: [] };
  // Lists of their full length at once: a log may have a million rows.
  const series: Series = { at: new Array<number>(column.values.length), values: new Array<number | null>(column.values.length) };
  let ascending = true;
  let before = -Infinity;
  let length = 0;
  for (let i = 0; i < column.values.length; i += 1) {
    if (column.texts && column.texts[i] !== null) continue;
    const place = places[column.at ? column.at[i] : i];
    if (Number.isNaN(place)) continue;
    if (place < before) ascending = false;
    before = place;
    const value = column.values[i];
    series.at[length] = place;
    series.values[length++] = Number.isNaN(value) ? null : value;
  }
  series.at.length = series.values.length = length;
  if (ascending) return series;
  const order = series.at.map((_, i) => i).sort((a, b) => series.at[a] - series.at[b] || a - b);
  return { at: order.map((i) => series.at[i]), values: order.map((i) => series.values[i]) };
}

/**
 * Time-weighted exponential moving average, debiased: with w = min(√weight, 0.999) and wᵢ = w^(Δx / range · 1000),
 * y ← y·wᵢ + yᵢ, n ← n·wᵢ + 1, shown as y / n. Far points weigh less, whatever lies between. Formula: docs.wandb.ai.
 * @param weight smoothing in [0, 1); 0 returns the values themselves
 */
export function timeWeightedEma({ at, values }: Series, weight: number): (number | null)[] {
  if (weight <= 0) return [...values];
  const w = Math.min(Math.sqrt(weight), 0.999);
  const range = at.length > 1 ? at[at.length - 1] - at[0] : 0;
  let sum = 0;
  let count = 0;
  let last = at[0];
  return values.map((value, i) => {
    if (value === null) return null;
    const fade = range > 0 ? w ** (((at[i] - last) / range) * VIEWPORT_SCALE) : 1;
    last = at[i];
    sum = sum * fade + value;
    count = count * fade + 1;
    return sum / count;
  });
}

/** The smoothed series, on the same places. */
export function smooth(series: Series, kind: SmoothingKind, weight: number): Series {
  return { at: series.at, values: kind === 'ema' ? debiasedEma(series.values, weight) : timeWeightedEma(series, weight) };
}

/** First position whose place is at least `place`. */
export function lowerBound(at: ArrayLike<number>, place: number): number {
  let low = 0;
  let high = at.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at[middle] < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What of a series is seen between two places, with one neighbour on each side, in at most `bins` min-max bins; exact where it is short. */
export function inWindow(series: Series, from: number, to: number, bins: number): Series {
  const start = Math.max(0, lowerBound(series.at, from) - 1);
  const after = lowerBound(series.at, to);
  const end = Math.min(series.at.length, series.at[after] === to ? after + 2 : after + 1);
  if (start === 0 && end === series.at.length && end <= 4 * bins) return series;
  const { steps, values } = minMaxBins({ steps: series.at, values: series.values }, bins, start, end);
  return { at: steps, values };
}

/** Several series over one shared axis. undefined: the line has no point here and goes on; null: a gap. Of equal places in one line the last counts. */
export function alignLines(lines: readonly Series[]): { x: number[]; ys: (number | null | undefined)[][] } {
  const x = [...new Set(lines.flatMap(({ at }) => at))].sort((a, b) => a - b);
  const ys = lines.map(({ at, values }) => {
    const column = new Array<number | null | undefined>(x.length).fill(undefined);
    let next = 0;
    at.forEach((place, i) => {
      while (x[next] < place) next += 1;
      column[next] = values[i];
    });
    return column;
  });
  return { x, ys };
}

/** The value at a place, or the last one before it; null before the first and in a gap. */
export function valueAt({ at, values }: Series, place: number): number | null {
  const after = lowerBound(at, place);
  const index = at[after] === place ? after : after - 1;
  return index < 0 ? null : values[index];
}

/** Values looked at for quantiles: enough for a range, few enough for every frame. */
const QUANTILE_SAMPLE = 2000;

/**
 * Range of what is seen.
 * @param outliers false: from the 5th to the 95th percentile, so that single peaks do not flatten the rest
 * @param log only positive values count
 * @returns null when nothing is seen
 */
export function seenRange(lines: readonly Series[], from: number, to: number, { outliers, log }: { outliers: boolean; log: boolean }): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  const sample: number[] = [];
  for (const { at, values } of lines) {
    const start = lowerBound(at, from);
    const stride = outliers ? 1 : Math.max(1, Math.ceil((lowerBound(at, to) - start) / QUANTILE_SAMPLE));
    for (let i = start; i < at.length && at[i] <= to; i += stride) {
      const value = values[i];
      if (value === null || (log && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
      if (!outliers) sample.push(value);
    }
  }
  if (low > high) return null;
  if (outliers) return [low, high];
  sample.sort((a, b) => a - b);
  return [sample[Math.floor((sample.length - 1) * 0.05)], sample[Math.ceil((sample.length - 1) * 0.95)]];
}
