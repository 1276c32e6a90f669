/** Fewer points for long lines, without losing a peak. */
import type { MetricSeries } from './metrics.ts';

/**
 * Min-max binning: the x range is cut into equal bins, and of each the first, lowest, highest and last point stay, and one gap
 * where there is any. Bins depend on the range alone, so a line does not flicker while a run grows within it.
 * @param series ascending steps
 * @param start position of the first point that counts
 * @param end position after the last one
 * @returns all of these points when they are few enough
 */
export function minMaxBins(series: MetricSeries, bins: number, start = 0, end = series.steps.length): MetricSeries {
  const { steps, values } = series;
  if (end - start <= 4 * bins) return start === 0 && end === steps.length ? series : { steps: steps.slice(start, end), values: values.slice(start, end) };
  const first = steps[start];
  const width = (steps[end - 1] - first) / bins || 1;
  const kept: MetricSeries = { steps: [], values: [] };
  for (let from = start; from < end; ) {
    const bin = binOf(steps[from], first, width, bins);
    let to = from;
    const chosen = { first: -1, low: -1, high: -1, last: -1, gap: -1 };
    for (; to < end && binOf(steps[to], first, width, bins) === bin; to += 1) {
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
