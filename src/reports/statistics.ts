/** Numbers about one metric of one run. */
import { bestValue, directionOf, metricNames, seriesOf } from './metrics.ts';
import type { Direction, MetricSeries } from './metrics.ts';
import type { LogRow, RunLog } from './run-log.ts';

export interface MetricStatistics {
  metric: string;
  history: 'train' | 'validation';
  direction: Direction;
  /** Finite values. */
  count: number;
  /** Rows that hold the metric, but no finite number. */
  gaps: number;
  mean: number;
  /** Unbiased (n − 1); 0 for a single value. */
  variance: number;
  min: { value: number; step: number };
  max: { value: number; step: number };
  first: { value: number; step: number };
  last: { value: number; step: number };
  /** null where the direction is unknown. */
  best: { value: number; step: number } | null;
  /** Least-squares slope per step; null where all values stand at one step. */
  slope: number | null;
}

/** Mean, variance and slope in one pass, with Welford's updates: long runs of nearly equal values lose no digits. */
export function moments(series: MetricSeries): { count: number; mean: number; variance: number; slope: number | null } {
  let count = 0;
  let mean = 0;
  let squares = 0;
  let meanStep = 0;
  let squareSteps = 0;
  let products = 0;
  series.values.forEach((value, i) => {
    if (value === null) return;
    count += 1;
    const step = series.steps[i];
    const fromMeanStep = step - meanStep;
    const fromMean = value - mean;
    mean += fromMean / count;
    meanStep += fromMeanStep / count;
    squares += fromMean * (value - mean);
    squareSteps += fromMeanStep * (step - meanStep);
    products += fromMeanStep * (value - mean);
  });
  return { count, mean, variance: count > 1 ? squares / (count - 1) : 0, slope: squareSteps > 0 ? products / squareSteps : null };
}

/** @returns null when the rows hold no finite value of the metric */
export function metricStatistics(rows: readonly LogRow[], metric: string, history: 'train' | 'validation', run?: RunLog): MetricStatistics | null {
  const series = seriesOf(rows, metric);
  const { count, mean, variance, slope } = moments(series);
  if (count === 0) return null;
  const at = (i: number) => ({ value: series.values[i] as number, step: series.steps[i] });
  const finite = series.values.flatMap((value, i) => (value === null ? [] : [i]));
  let min = finite[0];
  let max = finite[0];
  for (const i of finite) {
    if (at(i).value < at(min).value) min = i;
    if (at(i).value > at(max).value) max = i;
  }
  const direction = directionOf(metric, run);
  return {
    metric, history, direction, count, gaps: series.values.length - count, mean, variance, slope,
    min: at(min), max: at(max), first: at(finite[0]), last: at(finite[finite.length - 1]),
    best: bestValue(rows, metric, direction),
  };
}

/** Statistics of every metric of a run, training first. */
export function runStatistics(run: RunLog): MetricStatistics[] {
  const of = (rows: readonly LogRow[], history: 'train' | 'validation') =>
    metricNames(rows).map((metric) => metricStatistics(rows, metric, history, run)).filter((found) => found !== null);
  return [...of(run.train, 'train'), ...of(run.validation, 'validation')];
}
