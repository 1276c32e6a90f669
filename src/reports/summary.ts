/** The text block "Training Summary", and what it is made of. */
import { bestOf, finalValue, metricNames } from './metrics.ts';
import type { RunBest } from './metrics.ts';
import { noteText } from './notes.ts';
import type { LogRow, RunLog } from './run-log.ts';
import { runStatistics } from './statistics.ts';
import { alignColumns, formatExponent, formatNumber, formatPlain, formatSeconds, formatSetting, printable } from './text.ts';
import { REPORT_WORDS } from './words.ts';
import type { ReportLanguage, ReportWords } from './words.ts';

const RULE = '='.repeat(80);

export type HeadSetting = keyof ReportWords['settings'];

/** The settings a summary begins with, and their names in the order of preference. */
const HEAD_SETTINGS: readonly (readonly [HeadSetting, readonly string[]])[] = [
  ['model', ['model_path', 'model_name_or_path', 'model']],
  ['output', ['output_dir']],
  ['epochs', ['num_epochs', 'num_train_epochs']],
  ['steps', ['max_steps']],
  ['batchSize', ['batch_size', 'per_device_train_batch_size', 'train_batch_size']],
  ['learningRate', ['learning_rate', 'lr']],
  ['gradientAccumulation', ['gradient_accumulation_steps']],
];

export interface RunSummary {
  /** Which one and its value, only those the log knows. */
  settings: [setting: HeadSetting, value: string][];
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
  const settings: [HeadSetting, string][] = [];
  for (const [setting, names] of HEAD_SETTINGS) {
    const name = names.find((key) => run.config[key] !== undefined && run.config[key] !== null);
    if (name === undefined || (name === 'max_steps' && run.config[name] === -1)) continue;
    const value = run.config[name];
    settings.push([setting, setting === 'learningRate' && typeof value === 'number' && value !== 0 ? formatExponent(value) : formatSetting(value)]);
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
export function formatSummary(run: RunLog, language: ReportLanguage = 'en'): string {
  const words = REPORT_WORDS[language];
  const { labelled, summary: w } = words;
  const summary = summarise(run);
  const finals = (label: (metric: string) => string, found: RunSummary['finalTrain'], last: number | null) =>
    found.map(({ metric, value, step }) => `  ${labelled(label(metric), step === last ? formatNumber(value) : w.atStep(formatNumber(value), String(step)))}`);
  const lines = [RULE, w.title, RULE, labelled(w.run, run.name), labelled(w.log, words.dialects[run.dialect])];
  for (const note of run.notes) lines.push(labelled(note.level === 'warning' ? w.warning : w.note, noteText(note, language)));
  if (summary.settings.length > 0) lines.push('', w.configuration, ...summary.settings.map(([setting, value]) => `  ${labelled(words.settings[setting], value)}`));
  if (summary.duration !== null) lines.push('', labelled(w.duration, formatSeconds(summary.duration, words.time)));
  if (summary.tokens !== null) lines.push(labelled(w.tokens, summary.tokens.toLocaleString('en-US')));
  if (summary.device !== null) lines.push(labelled(w.device, summary.device));

  lines.push('', w.trainHistory(String(summary.trainRows)));
  if (run.train.length > 0) {
    lines.push(`  ${labelled(w.finalStep, String(summary.finalStep))}`);
    if (summary.finalEpoch !== null) lines.push(`  ${labelled(w.finalEpoch, formatPlain(summary.finalEpoch))}`);
    lines.push(...finals(w.finalOf, summary.finalTrain, summary.finalStep));
  }
  lines.push('', w.validationHistory(String(summary.validationRows)));
  if (summary.finalValidationStep !== null) {
    lines.push(`  ${labelled(w.finalValidationStep, String(summary.finalValidationStep))}`);
    lines.push(...finals((metric) => metric, summary.finalValidation, summary.finalValidationStep));
  }
  lines.push('', ...bestLines(summary, words), RULE);
  return lines.map(printable).join('\n');
}

function bestLines({ best, atBest }: RunSummary, { labelled, directions, summary: w }: ReportWords): string[] {
  if (!best) return [w.bestUnknown];
  const lines = [best.recorded ? w.best : w.bestFound(best.metric, directions[best.direction]), `  ${labelled(w.step, String(best.step))}`];
  if (best.epoch !== null) lines.push(`  ${labelled(w.epoch, formatPlain(best.epoch))}`);
  for (const [metric, value] of Object.entries(atBest)) lines.push(`  ${labelled(metric, formatNumber(value))}`);
  if (best.path !== null) lines.push(`  ${labelled(w.path, best.path)}`);
  return lines;
}

/** A table of every metric's statistics as text. */
export function formatStatistics(run: RunLog, language: ReportLanguage = 'en'): string {
  const { directions, statistics: w } = REPORT_WORDS[language];
  const at = (entry: { value: number; step: number } | null) => (entry ? `${formatNumber(entry.value)} @${entry.step}` : '-');
  const rows = runStatistics(run).map((entry) => [
    printable(entry.metric), entry.history === 'train' ? w.train : w.validation, String(entry.count), String(entry.gaps), formatNumber(entry.mean), formatNumber(entry.variance),
    at(entry.min), at(entry.max), at(entry.last), entry.slope === null ? '-' : formatNumber(entry.slope), entry.best ? w.best(at(entry.best), directions[entry.direction]) : w.directionUnknown,
  ]);
  return alignColumns([w.head, ...rows], 'llrrrrrrrrl');
}
