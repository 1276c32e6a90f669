/** Figures and differences in words. */
import type { Difference } from '../objectives/evaluation/bootstrap.ts';
import { factsOf, type MetricName } from '../objectives/evaluation/metrics.ts';
import type { EvaluationWords } from './words.ts';

/** Shares with three decimals, amounts with two, times in milliseconds; a dash where there is nothing to measure. */
export function formatFigure(metric: MetricName, value: number | null): string {
  if (value === null) return '–';
  const { unit } = factsOf(metric);
  if (unit === 'share') return value.toFixed(3);
  if (unit === 'number') return value.toFixed(2);
  return value < 9.95 ? `${value.toFixed(1)} ms` : value < 9950 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export type Verdict = 'better' | 'worse' | 'different' | 'same';

/** What a difference says; the same where its interval holds 0. */
export function verdictOf(metric: MetricName, { low, high, difference }: Difference): Verdict {
  if (low <= 0 && high >= 0) return 'same';
  const { better } = factsOf(metric);
  if (better === null) return 'different';
  return (difference > 0) === (better === 'more') ? 'better' : 'worse';
}

/** "better by 0.040 ± 0.020". */
export function differenceText(metric: MetricName, difference: Difference, words: EvaluationWords): string {
  const by = formatFigure(metric, Math.abs(difference.difference));
  const margin = formatFigure(metric, difference.margin);
  const verdict = verdictOf(metric, difference);
  if (verdict !== 'different') return words[verdict](verdict === 'same' && difference.difference < 0 ? `−${by}` : by, margin);
  return difference.difference > 0 ? words.more(by, margin) : words.less(by, margin);
}
