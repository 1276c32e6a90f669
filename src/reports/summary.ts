/** The text block "Training Summary", and what it is made of. */
import { bestOf, finalValue, metricNames } from './metrics.ts';
import type { RunBest } from './metrics.ts';
import { DIALECT_NAMES } from './run-log.ts';
import type { LogRow, RunLog } from './run-log.ts';
import { runStatistics } from './statistics.ts';
import { alignColumns, formatExponent, formatNumber, formatPlain, formatSeconds, formatSetting, printable } from './text.ts';

const RULE = '='.repeat(80);

/** The settings a summary begins with: label, names in the order of preference. */
const HEAD_SETTINGS: readonly (readonly [string, readonly string[]])[] = [
  ['Model', ['model_path', 'model_name_or_path', 'model']],
  ['Output', ['output_dir']],
  ['Epochs', ['num_epochs', 'num_train_epochs']],
  ['Steps', ['max_steps']],
  ['Batch Size', ['batch_size', 'per_device_train_batch_size', 'train_batch_size']],
  ['Learning Rate', ['learning_rate', 'lr']],
  ['Gradient Accumulation', ['gradient_accumulation_steps']],
];

export interface RunSummary {
  /** Label and value, only those the log knows. */
  settings: [label: string, value: string][];
  trainRows: number;
  validationRows: number;
  finalStep: number | null;
  finalEpoch: number | null;
  finalTrain: { metric: string; value: number; step: number }[];
  finalValidation: { metric: string; value: number; step: number }[];
  finalValidationStep: number | null;
  best: RunBest | null;
  /** Every metric at the best step: what the log recorded with it and the validation of that step. */
  atBest: Record<string, number>;
  /** Seconds, where the log tells. */
  duration: number | null;
  tokens: number | null;
  device: string | null;
}

/** Collects a run's figures. Final values come from the last row that has the metric, not only from the very last row. */
export function summarise(run: RunLog): RunSummary {
  const settings: [string, string][] = [];
  for (const [label, names] of HEAD_SETTINGS) {
    const name = names.find((key) => run.config[key] !== undefined && run.config[key] !== null);
    if (name === undefined || (name === 'max_steps' && run.config[name] === -1)) continue;
    const value = run.config[name];
    settings.push([label, label === 'Learning Rate' && typeof value === 'number' && value !== 0 ? formatExponent(value) : formatSetting(value)]);
  }
  const finals = (rows: readonly LogRow[]) =>
    metricNames(rows).flatMap((metric) => {
      const found = finalValue(rows, metric);
      return found ? [{ metric, ...found }] : [];
    });
  const lastTrain = run.train.at(-1);
  const lastValidation = run.validation.at(-1);
  const last = lastTrain ?? lastValidation;
  const best = bestOf(run);
  return {
    settings,
    trainRows: run.train.length,
    validationRows: run.validation.length,
    finalStep: last?.step ?? null,
    finalEpoch: typeof last?.epoch === 'number' ? last.epoch : null,
    finalTrain: finals(run.train),
    finalValidation: finals(run.validation),
    finalValidationStep: lastValidation?.step ?? null,
    best,
    atBest: metricsAt(run, best),
    duration: durationOf(run),
    tokens: lastNumber(run.train, ['num_tokens', 'num_input_tokens_seen', 'total_tokens']),
    device: typeof run.environment.adapter === 'string' && run.environment.adapter !== '' ? run.environment.adapter : null,
  };
}

function metricsAt(run: RunLog, best: RunBest | null): Record<string, number> {
  const found = Object.create(null) as Record<string, number>;
  if (!best) return found;
  if (best.recorded && run.best?.metric) Object.assign(found, run.best.metrics);
  const row = run.validation.findLast((entry) => entry.step === best.step);
  if (row) {
    for (const metric of metricNames([row])) {
      const value = row[metric];
      if (typeof value === 'number') found[metric] = value;
    }
  }
  found[best.metric] = best.value;
  return found;
}

function lastNumber(rows: readonly LogRow[], names: readonly string[]): number | null {
  for (const name of names) {
    const found = finalValue(rows, name);
    if (found) return found.value;
  }
  return null;
}

/** From the log's own clock, the trainer's closing row, or the dates of the first and last rows. */
function durationOf(run: RunLog): number | null {
  const logged = lastNumber([...run.train.slice(-1000), ...run.validation.slice(-1000)].sort((a, b) => a.step - b.step), ['elapsed_s']);
  if (logged !== null) return logged;
  const runtime = run.finalMetrics.train_runtime;
  if (typeof runtime === 'number') return runtime;
  const times = [run.train[0], run.train.at(-1), run.validation[0], run.validation.at(-1)].map((row) => moment(row?.time)).filter((time) => time !== null);
  const span = times.length > 1 ? Math.max(...times) - Math.min(...times) : 0;
  return span > 0 ? span : null;
}

/** Seconds since 1970 of a number of seconds or an ISO date. */
function moment(value: number | string | null | undefined): number | null {
  if (typeof value === 'number') return value > 1e8 && value < 1e11 ? value : null;
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d/.test(value)) return null;
  const milliseconds = Date.parse(value);
  return Number.isFinite(milliseconds) ? milliseconds / 1000 : null;
}

/** The summary as text, sections as in the original's log viewer. Ends without a line break. */
export function formatSummary(run: RunLog): string {
  const summary = summarise(run);
  const lines = [RULE, 'Training Summary', RULE, `Run: ${run.name}`, `Log: ${DIALECT_NAMES[run.dialect]}`];
  for (const note of run.notes) lines.push(`${note.level === 'warning' ? 'Warning' : 'Note'}: ${note.message}`);
  if (summary.settings.length > 0) lines.push('', 'Configuration:', ...summary.settings.map(([label, value]) => `  ${label}: ${value}`));
  if (summary.duration !== null) lines.push('', `Duration: ${formatSeconds(summary.duration)}`);
  if (summary.tokens !== null) lines.push(`Tokens: ${summary.tokens.toLocaleString('en-US')}`);
  if (summary.device !== null) lines.push(`Device: ${summary.device}`);

  lines.push('', `Training History: ${summary.trainRows} entries`);
  if (run.train.length > 0) {
    lines.push(`  Final Step: ${summary.finalStep}`);
    if (summary.finalEpoch !== null) lines.push(`  Final Epoch: ${formatPlain(summary.finalEpoch)}`);
    for (const { metric, value, step } of summary.finalTrain) lines.push(`  Final ${metric}: ${formatNumber(value)}${step === summary.finalStep ? '' : ` (step ${step})`}`);
  }
  lines.push('', `Validation History: ${summary.validationRows} entries`);
  if (summary.finalValidationStep !== null) {
    lines.push(`  Final Val Step: ${summary.finalValidationStep}`);
    for (const { metric, value, step } of summary.finalValidation) lines.push(`  ${metric}: ${formatNumber(value)}${step === summary.finalValidationStep ? '' : ` (step ${step})`}`);
  }
  lines.push('', ...bestLines(summary), RULE);
  return lines.map(printable).join('\n');
}

function bestLines(summary: RunSummary): string[] {
  const { best } = summary;
  if (!best) return ['Best Checkpoint: unknown (no validation metric with a known direction)'];
  const lines = [best.recorded ? 'Best Checkpoint:' : `Best Checkpoint (not recorded in the log; found by ${best.metric}, ${best.direction} is better):`, `  Step: ${best.step}`];
  if (best.epoch !== null) lines.push(`  Epoch: ${formatPlain(best.epoch)}`);
  for (const [metric, value] of Object.entries(summary.atBest)) lines.push(`  ${metric}: ${formatNumber(value)}`);
  if (best.path !== null) lines.push(`  Path: ${best.path}`);
  return lines;
}

/** A table of every metric's statistics as text. */
export function formatStatistics(run: RunLog): string {
  const at = (entry: { value: number; step: number } | null) => (entry ? `${formatNumber(entry.value)} @${entry.step}` : '-');
  const rows = runStatistics(run).map((entry) => [
    printable(entry.metric), entry.history === 'train' ? 'train' : 'val', String(entry.count), String(entry.gaps), formatNumber(entry.mean), formatNumber(entry.variance),
    at(entry.min), at(entry.max), at(entry.last), entry.slope === null ? '-' : formatNumber(entry.slope), entry.best ? `${at(entry.best)} (${entry.direction})` : 'direction unknown',
  ]);
  return alignColumns([['metric', 'of', 'count', 'gaps', 'mean', 'variance', 'min @step', 'max @step', 'last @step', 'slope/step', 'best'], ...rows], 'llrrrrrrrrl');
}
