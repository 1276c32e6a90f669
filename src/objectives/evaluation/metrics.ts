/** The figures of an evaluation by the names that the original's evaluation gives them, in the order in which they are shown. */

interface MetricFacts {
  group: 'detection' | 'behaviour' | 'anomaly' | 'text' | 'amount' | 'latency';
  /** Which way is better; null where neither is. */
  better: 'more' | 'less' | null;
  unit: 'share' | 'number' | 'milliseconds';
}

const share = (group: MetricFacts['group'], better: MetricFacts['better'] = 'more'): MetricFacts => ({ group, better, unit: 'share' });
const amount = (better: MetricFacts['better'] = null): MetricFacts => ({ group: 'amount', better, unit: 'number' });
const latency: MetricFacts = { group: 'latency', better: 'less', unit: 'milliseconds' };

export const METRICS = {
  ap50: share('detection'),
  ap75: share('detection'),
  map50_95: share('detection'),
  precision: share('detection'),
  recall: share('detection'),
  f1_score: share('detection'),
  category_precision: share('detection'),
  category_recall: share('detection'),
  category_f1: share('detection'),
  parse_success_rate: share('behaviour'),
  strict_format_rate: share('behaviour'),
  no_object_rejection_rate: share('behaviour'),
  hallucination_rate: share('behaviour', 'less'),
  omission_rate: share('behaviour', 'less'),
  false_rejection_rate: share('behaviour', 'less'),
  anomaly_accuracy: share('anomaly'),
  anomaly_precision: share('anomaly'),
  anomaly_recall: share('anomaly'),
  anomaly_f1: share('anomaly'),
  exact_match_rate: share('text'),
  token_f1: share('text'),
  rouge_l_f1: share('text'),
  bleu1: share('text'),
  bleu4: share('text'),
  anls: share('text'),
  count_mae: amount('less'),
  count_rmse: amount('less'),
  avg_response_tokens: amount(),
  avg_pred_boxes: amount(),
  avg_gt_boxes: amount(),
  latency_ms_mean: latency,
  latency_ms_p50: latency,
  latency_ms_p95: latency,
} as const satisfies Record<string, MetricFacts>;

export type MetricName = keyof typeof METRICS;
export type MetricGroup = MetricFacts['group'];

export const METRIC_NAMES = Object.keys(METRICS) as MetricName[];

/** What is known of a metric. */
export const factsOf = (name: MetricName): MetricFacts => METRICS[name];
