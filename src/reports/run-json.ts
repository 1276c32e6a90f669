/** A run under the keys of training_log.json, whatever its own format was. */
import type { RunLog } from './run-log.ts';

/** What readTrainingLog takes back; all but dialect and notes. */
export function trainingLogOf(run: RunLog): Record<string, unknown> {
  const { best } = run;
  return {
    config: run.config,
    train_history: run.train,
    val_history: run.validation,
    best_checkpoint: best && { ...best.metrics, step: best.step, epoch: best.epoch, path: best.path, ...(best.metric === null ? {} : { metric: best.metric, value: best.metrics[best.metric] ?? null }) },
    final_metrics: run.finalMetrics,
    ...(run.dialect === 'lorikeet' ? { environment: run.environment } : {}),
  };
}

/** The same as text, with where it came from. */
export function runJson(run: RunLog): string {
  const source = { file: run.source, dialect: run.dialect, notes: run.notes.map(({ level, message, line, byte }) => ({ level, message, line, byte })) };
  return `${JSON.stringify({ ...trainingLogOf(run), source }, null, 2)}\n`;
}
