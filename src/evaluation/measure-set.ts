/** A set that several candidates have answered, measured and compared: what the page, the files and the report show. */
import { draws, interval, pairedDifference, RESAMPLES, type Difference, type Interval } from '../objectives/evaluation/bootstrap.ts';
import { evaluate, type Evaluation } from '../objectives/evaluation/evaluate.ts';
import { METRIC_NAMES, type MetricName } from '../objectives/evaluation/metrics.ts';
import { once } from '../objectives/evaluation/statistic.ts';
import type { AnsweredSample } from '../protocol/evaluation-messages.ts';

/** A metric of all candidates. */
export interface FigureRow {
  metric: MetricName;
  /** By candidate; null where there is nothing to measure. */
  values: (number | null)[];
  intervals: (Interval | null)[];
  /** By candidate, against the first; null for the first itself. */
  differences: (Difference | null)[];
}

export interface MeasuredSet {
  /** In the order of the set. */
  samples: readonly AnsweredSample[];
  /** Distinct. */
  names: readonly string[];
  evaluations: readonly Evaluation[];
  /** Metrics that have a meaning for the set. */
  rows: FigureRow[];
}

/** Above so many samples fewer draws must do: an interval then moves little from draw to draw. */
const MANY_SAMPLES = 2000;
const FEW_DRAWS = 200;
/** Draws are the same every time, so that intervals are. */
const SEED = 42;

/**
 * @param samples answered by all candidates
 * @param names of the candidates
 * @param rest awaited now and then, so that whoever waits can draw
 */
export async function measureSet(samples: readonly AnsweredSample[], names: readonly string[], rest: () => Promise<void> = () => Promise.resolve()): Promise<MeasuredSet> {
  const truths = samples.map(({ truth, pixelsOf }) => ({ truth, ...(pixelsOf && { pixelsOf }) }));
  const evaluations: Evaluation[] = [];
  for (const [candidate] of names.entries()) {
    evaluations.push(evaluate(truths, samples.map(({ answers }) => ({ ...answers[candidate] }))));
    await rest();
  }
  const all = once(samples.length);
  const drawn = draws(samples.length, SEED, samples.length > MANY_SAMPLES ? FEW_DRAWS : RESAMPLES);
  const rows: FigureRow[] = [];
  for (const metric of METRIC_NAMES) {
    const figures = evaluations.map((evaluation) => evaluation.figures[metric]);
    if (figures.some((figure) => figure === undefined)) continue;
    const [first] = figures;
    rows.push({
      metric,
      values: figures.map((figure) => figure!(all)),
      intervals: figures.map((figure) => interval(figure!, drawn)),
      differences: figures.map((figure, i) => (i === 0 ? null : pairedDifference(first!, figure!, drawn, all))),
    });
    await rest();
  }
  return { samples, names, evaluations, rows };
}
