/** An own run as the readers deliver it, so that own and opened runs are shown, compared and reported alike. */
import type { TrainingLog } from '../../protocol/log.ts';
import type { RunLog } from '../../reports/run-log.ts';
import { readTrainingLog } from '../../reports/training-log.ts';
import type { RunRecord } from '../state/run-record.svelte.ts';

/** @param log as it lies in storage */
export function logOfOwn(log: TrainingLog, name: string): RunLog {
  return { ...readTrainingLog({ ...log }, name), name, source: 'training_log.json' };
}

/** The log of a run on screen as far as it goes. */
export function logOfRecord(run: RunRecord): RunLog {
  const log = {
    config: run.config, train_history: run.trainRows, val_history: run.valRows, best_checkpoint: run.best, final_metrics: run.finalMetrics,
    environment: run.environment ?? {}, notices: run.notices,
  };
  return { ...readTrainingLog(log, run.name), name: run.name, source: 'training_log.json' };
}
