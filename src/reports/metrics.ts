/** What a metric's name says: which training metric a validation metric belongs to, and which way is better. */
import type { LogRow, RecordedBest, RunLog } from './run-log.ts';

export type Direction = 'lower' | 'higher' | 'unknown';

/** Where a row stands, what it cost to make: no metrics to draw or to compare. */
const POSITION_KEYS = new Set([
  'step', 'epoch', 'samples', 'num_tokens', 'num_input_tokens_seen', 'total_tokens', 'elapsed_s', 'time', 'eval_samples', 'total_flos', 'flos',
]);

/** The same figure under the names of several programs. */
const SAME_METRIC: Readonly<Record<string, string>> = { lr: 'learning_rate' };

/** A word that makes a name something other than the score that another word in it names. */
const NEUTRAL_WORDS = new Set(['std', 'var', 'variance', 'frac', 'ratio', 'norm', 'length', 'count', 'coef', 'chosen', 'rejected', 'lr', 'rate', 'entropy', 'min', 'max', 'empty']);
const LOWER_WORDS = new Set(['loss', 'kl', 'perplexity', 'ppl', 'nll', 'error', 'mae', 'mse', 'rmse', 'wer', 'cer', 'hallucination', 'omission', 'runtime', 'ms', 'memory']);
const HIGHER_WORDS = new Set([
  'reward', 'rewards', 'accuracy', 'accuracies', 'acc', 'iou', 'f1', 'precision', 'recall', 'ap', 'map', 'format', 'bbox', 'category', 'completeness', 'status',
  'margin', 'margins', 'rouge', 'bleu', 'second', 'speed', 'throughput',
]);
/** Names whose words alone would mislead. */
const EXCEPTIONS: Readonly<Record<string, Direction>> = {
  parse_success_rate: 'higher', hallucination_rate: 'lower', omission_rate: 'lower', false_rejection_rate: 'lower', exact_match: 'higher', count_alignment: 'higher',
};

/** Which side of a chart a metric belongs to. */
const VALIDATION_PREFIX = /^(?:eval|val|valid|validation)[_/]/;
const TRAIN_PREFIX = /^train\//;

/** "loss" of "eval_loss", "val_loss", "eval/loss" and "train/loss": training and validation of one metric share a chart. */
export function baseName(metric: string): string {
  const base = metric.replace(VALIDATION_PREFIX, '').replace(TRAIN_PREFIX, '');
  return base === '' ? metric : base;
}

/** The base name under which runs of several programs are compared. */
export function sharedName(metric: string): string {
  const base = baseName(metric);
  return Object.hasOwn(SAME_METRIC, base) ? SAME_METRIC[base] : base;
}

/**
 * Which way a metric improves, by its name; a run's own metric_for_best_model and greater_is_better win.
 * @returns "unknown" where neither tells: such metrics get no best value
 */
export function directionOf(metric: string, run?: Pick<RunLog, 'config'>): Direction {
  const chosen = run?.config.metric_for_best_model;
  const greater = run?.config.greater_is_better;
  if (typeof chosen === 'string' && typeof greater === 'boolean' && (chosen === metric || `eval_${chosen}` === metric)) return greater ? 'higher' : 'lower';
  const base = baseName(metric).toLowerCase();
  if (Object.hasOwn(EXCEPTIONS, base)) return EXCEPTIONS[base];
  const words = base.split(/[^a-z0-9]+/).map((word) => word.replace(/^(iou|ap|map|bleu|rouge)\d+$/, '$1'));
  if (words.some((word) => NEUTRAL_WORDS.has(word))) return 'unknown';
  if (words.some((word) => LOWER_WORDS.has(word))) return 'lower';
  return words.some((word) => HIGHER_WORDS.has(word)) ? 'higher' : 'unknown';
}

/** Whether a key names a metric, rather than where a row stands or what it cost. */
export function isMetric(key: string): boolean {
  return !POSITION_KEYS.has(key);
}

/** Names of everything numeric in rows that is a metric, in the order of first appearance. Any row may add names. */
export function metricNames(rows: readonly LogRow[]): string[] {
  const names = new Set<string>();
  for (const row of rows) {
    for (const key in row) {
      if (typeof row[key] !== 'string' && !POSITION_KEYS.has(key)) names.add(key);
    }
  }
  return [...names];
}

/** One metric over the steps; null is a gap. */
export interface MetricSeries {
  steps: number[];
  values: (number | null)[];
}

/** Picks a metric out of rows, sorted by step; rows without the metric are left out. */
export function seriesOf(rows: readonly LogRow[], metric: string): MetricSeries {
  const series: MetricSeries = { steps: [], values: [] };
  let ascending = true;
  for (const row of rows) {
    const value = row[metric];
    if (value === undefined || typeof value === 'string') continue;
    if (series.steps.length > 0 && row.step < series.steps[series.steps.length - 1]) ascending = false;
    series.steps.push(row.step);
    series.values.push(value);
  }
  if (ascending) return series;
  const order = series.steps.map((_, i) => i).sort((a, b) => series.steps[a] - series.steps[b] || a - b);
  return { steps: order.map((i) => series.steps[i]), values: order.map((i) => series.values[i]) };
}

/** The metric's value in the last row that has one. */
export function finalValue(rows: readonly LogRow[], metric: string): { value: number; step: number } | null {
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    const value = rows[i][metric];
    if (typeof value === 'number') return { value, step: rows[i].step };
  }
  return null;
}

/** The metric's best value; of equal ones the first. null where the direction is unknown or there is no value. */
export function bestValue(rows: readonly LogRow[], metric: string, direction: Direction): { value: number; step: number } | null {
  if (direction === 'unknown') return null;
  let best: { value: number; step: number } | null = null;
  for (const row of rows) {
    const value = row[metric];
    if (typeof value !== 'number') continue;
    if (best === null || (direction === 'lower' ? value < best.value : value > best.value)) best = { value, step: row.step };
  }
  return best;
}

/** What chose, or would choose, the best checkpoint of a run. */
export interface RunBest {
  metric: string;
  direction: Direction;
  value: number;
  step: number;
  epoch: number | null;
  path: string | null;
  /** Whether the log says so itself, or it was found among its validations. */
  recorded: boolean;
}

/**
 * The best validation of a run: what the log recorded where that is complete, else the best row by the run's own metric,
 * the first validation loss, reward or score otherwise.
 */
export function bestOf(run: RunLog): RunBest | null {
  const recorded = run.best && nameBest(run, run.best);
  if (recorded?.metric && recorded.step !== null && Object.hasOwn(recorded.metrics, recorded.metric)) {
    const { metric, step, epoch, path } = recorded;
    return { metric, direction: directionOf(metric, run), value: recorded.metrics[metric], step, epoch, path, recorded: true };
  }
  const metric = primaryMetric(run);
  if (metric === null) return null;
  const direction = directionOf(metric, run);
  const found = bestValue(run.validation, metric, direction);
  if (!found) return null;
  const row = run.validation.find((entry) => entry.step === found.step);
  const epoch = typeof row?.epoch === 'number' ? row.epoch : null;
  const isRecorded = recorded !== null && recorded.step === found.step;
  return { metric, direction, ...found, epoch, path: isRecorded ? recorded.path : null, recorded: false };
}

/** transformers.Trainer records the best value but not whose it is: the metric that had this value at this step. */
function nameBest(run: RunLog, best: RecordedBest): RecordedBest {
  const value = best.metrics.best_metric;
  if (best.metric !== null || best.step === null || value === undefined) return best;
  // Several evaluation sets make several rows of one step.
  for (const row of run.validation.filter((entry) => entry.step === best.step)) {
    const metric = metricNames([row]).find((name) => typeof row[name] === 'number' && Math.abs(row[name] - value) <= 1e-7 * Math.abs(value));
    if (metric !== undefined) return { ...best, metric, epoch: typeof row.epoch === 'number' ? row.epoch : null, metrics: { [metric]: value } };
  }
  return best;
}

/** The validation metric that judges a run; null without validation. */
export function primaryMetric(run: RunLog): string | null {
  const names = metricNames(run.validation).filter((name) => directionOf(name, run) !== 'unknown');
  const chosen = run.config.metric_for_best_model;
  const wanted = [run.best?.metric, chosen, typeof chosen === 'string' ? `eval_${chosen}` : null, 'val_accuracy', 'val_reward', 'eval_reward', 'eval_loss', 'val_loss', 'eval/loss', 'val/loss'];
  return wanted.find((name): name is string => typeof name === 'string' && names.includes(name)) ?? names[0] ?? null;
}
