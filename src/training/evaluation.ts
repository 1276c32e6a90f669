/** What the loop asks of a method's validation, and how the best adapter is told from the others. */
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { BestCheckpoint, ValRow } from '../protocol/log.ts';
import type { AnswerPreview } from '../protocol/messages.ts';
import type { Stage } from '../protocol/sayings.ts';
import type { TrainableModel } from './trainable-model.ts';

export interface ValidationResult {
  row: ValRow;
  answers: AnswerPreview[];
  /** Lines of val_predictions.jsonl. */
  predictions: string;
}

/** Called between batches; false ends the validation early. */
export type Continue = (done: number, total: number, stage: Stage) => Promise<boolean>;

/** Where in the run a validation takes place. */
export interface ValidationPlace {
  step: number;
  epoch: number;
  /** Training samples done. */
  samples: number;
}

/** Reads the model, never changes it. */
export interface Evaluation {
  /** Validation samples measured each time. */
  readonly sampleCount: number;
  /**
   * Measures the model as it is.
   * @param clock milliseconds
   * @returns null when `goOn` ended it early
   * @throws LorikeetError "not-finite" when the loss is not a number
   */
  run(model: TrainableModel, at: ValidationPlace, goOn: Continue, clock: () => number): Promise<ValidationResult | null>;
  /** The row's entry for best/, or null when it is not better than `best`: the first of equals wins, and step 0 is no result. */
  judge(row: ValRow, best: BestCheckpoint | null): BestCheckpoint | null;
}

type JudgeConfig = Pick<TrainingConfig, 'metric_for_best_model' | 'greater_is_better' | 'min_delta'>;

/**
 * Checks that the metric which chooses the best adapter is one of those that the run measures.
 * @throws LorikeetError "config"
 */
export function checkBestMetric({ metric_for_best_model: metric }: JudgeConfig, measured: readonly string[], advice: string): void {
  if (measured.includes(metric)) return;
  throw new LorikeetError('config', `metric_for_best_model is "${metric}", but this run measures ${measured.join(', ')}.`, advice, { field: 'metric_for_best_model' });
}

/** See `Evaluation.judge`. */
export function judgeRow(config: JudgeConfig, row: ValRow, best: BestCheckpoint | null): BestCheckpoint | null {
  const { metric_for_best_model: metric, greater_is_better: greater, min_delta: delta } = config;
  const value = row[metric];
  if (row.step === 0 || typeof value !== 'number' || !Number.isFinite(value)) return null;
  if (best && (greater ? value - best.value : best.value - value) <= delta) return null;
  // The original's scripts write the metrics themselves beside the path.
  const named = Object.entries(row).filter((entry): entry is [string, number] => entry[0].startsWith('val_') && typeof entry[1] === 'number');
  return { ...Object.fromEntries(named), step: row.step, epoch: row.epoch, metric, value, path: 'best' };
}

/** Batches of similar length, longest first, so that memory runs out at once or not at all. Positions into `lengths`. */
export function batchesByLength(lengths: readonly number[], size: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b);
  return Array.from({ length: Math.ceil(order.length / size) }, (_, i) => order.slice(i * size, (i + 1) * size));
}

/** @throws LorikeetError "not-finite" */
export function requireFinite(what: string, value: number, step: number): void {
  if (Number.isFinite(value)) return;
  throw new LorikeetError('not-finite', `The ${what} at step ${step} is ${value}.`, 'Lower learning_rate, then start again.');
}
