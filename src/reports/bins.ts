/** Fewer points for long lines, without losing a peak. */
import type { MetricSeries } from './metrics.ts';

/**
 * Min-max binning: the x range is cut into equal bins, and of each the first, lowest, highest and last point stay, and one gap
 * where there is any. Bins depend on the range alone, so a line does not flicker while a run grows within it.
 * @param series ascending steps
 * @returns the series itself when it is short enough
 */
export function minMaxBins(series: MetricSeries, bins: number): MetricSeries {
  const { steps, values } = series;
  if (steps.length <= 4 * bins) return series;
  const start = steps[0];
  const width = (steps[steps.length - 1] - start) / bins || 1;
  const kept: MetricSeries = { steps: [], values: [] };
  for (let from = 0; from < steps.length; ) {
    const bin = binOf(steps[from], start, width, bins);
    let to = from;
    const chosen = { first: -1, low: -1, high: -1, last: -1, gap: -1 };
    for (; to < steps.length && binOf(steps[to], start, width, bins) === bin; to += 1) {
      const value = values[to];
      if (value === null) {
        chosen.gap = to;
        continue;
      }
      if (chosen.first === -1) chosen.first = to;
      if (chosen.low === -1 || value < (values[chosen.low] as number)) chosen.low = to;
      if (chosen.high === -1 || value > (values[chosen.high] as number)) chosen.high = to;
      chosen.last = to;
    }
    for (const i of [...new Set(Object.values(chosen))].filter((index) => index !== -1).sort((a, b) => a - b)) {
      kept.steps.push(steps[i]);
      kept.values.push(values[i]);
    }
    from = to;
  }
  return kept;
}

function binOf(step: number, start: number, width: number, bins: number): number {
  return Math.min(bins - 1, Math.floor((step - start) / width));
}
