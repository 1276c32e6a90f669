/** What a finished run prints: before and after on one screen. */
import type { TrainingLog, TrainRow, ValRow } from '../../src/protocol/log.ts';
import { formatDuration, formatTable } from '../browser/command-line.ts';
import { SHOWN_METRICS } from './metrics.ts';

const cell = (row: ValRow | undefined, key: string, digits: number): string => {
  const value = row?.[key];
  return typeof value === 'number' ? value.toFixed(digits) : '-';
};

/**
 * The validation rows to compare: before the first step, at the best checkpoint, and the last one.
 * A run without a validation at step 0 has no "before".
 */
export function comparedRows(log: Pick<TrainingLog, 'val_history' | 'best_checkpoint'>): { before?: ValRow; best?: ValRow; last?: ValRow } {
  const rows = log.val_history;
  return {
    before: rows.find((row) => row.step === 0),
    best: log.best_checkpoint ? rows.findLast((row) => row.step === log.best_checkpoint?.step) : undefined,
    last: rows.length > 0 ? rows[rows.length - 1] : undefined,
  };
}

/** Seconds spent in optimizer steps alone: each row's mean step time times the steps since the row before. */
export function stepSeconds(rows: readonly TrainRow[]): number {
  return rows.reduce((sum, row, i) => sum + ((row.step - (rows[i - 1]?.step ?? 0)) * row.step_time_ms) / 1000, 0);
}

/**
 * @param wallSeconds whole time of the command
 * @param out folder the run was written to
 * @returns several lines without a trailing newline
 */
export function formatSummary(log: TrainingLog, wallSeconds: number, out: string): string {
  const { before, best, last } = comparedRows(log);
  const lastTrain = log.train_history.at(-1);
  const trainingSeconds = stepSeconds(log.train_history);
  const validationSeconds = log.val_history.reduce((sum, row) => sum + row.eval_runtime, 0);
  const lines = [`${lastTrain?.step ?? 0} steps on ${log.environment.adapter}, weights ${log.environment.quantization}`, ''];

  if (last) {
    const header = ['', 'before', best ? `best (step ${best.step})` : 'best', `last (step ${last.step})`];
    const table = SHOWN_METRICS.filter(({ key }) => typeof last[key] === 'number').map(({ key, label, digits }) => [label, ...[before, best, last].map((row) => cell(row, key, digits))]);
    lines.push(formatTable([header, ...table], 'lrrr'), '');
  } else {
    lines.push('No validation was made (eval_steps 0, or no validation data).', '');
  }

  if (lastTrain) {
    const tokens = trainingSeconds > 0 ? ` (${(lastTrain.num_tokens / trainingSeconds).toFixed(0)} tokens/s)` : '';
    lines.push(`train loss  ${lastTrain.loss.toFixed(4)} at step ${lastTrain.step}, ${lastTrain.num_tokens} tokens${tokens}`);
  }
  if (log.best_checkpoint) lines.push(`best        ${log.best_checkpoint.metric} ${log.best_checkpoint.value.toFixed(4)} at step ${log.best_checkpoint.step}`);
  lines.push(`time        training ${formatDuration(trainingSeconds)}, validation ${formatDuration(validationSeconds)}, everything ${formatDuration(wallSeconds)}`);
  for (const notice of log.notices.filter((n) => n.level !== 'info')) lines.push(`${notice.level.padEnd(11)} step ${notice.step}: ${notice.message}`);
  lines.push(`files       ${out}`);
  return lines.join('\n');
}
