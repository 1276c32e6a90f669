/** trainer_state.json of transformers.Trainer, and its log_history alone. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { HistoryReader, rowPlace } from './history-reader.ts';
import type { RowPlace } from './history-reader.ts';
import { said } from './notes.ts';
import { bareObject, bareRow } from './run-log.ts';
import type { LogRow, RecordedBest, RunLog } from './run-log.ts';
import { scalars, stepOfPath } from './training-log.ts';

type Fields = Record<string, unknown>;

const stateSchema = v.object({
  log_history: v.array(v.unknown()),
  best_global_step: v.optional(v.nullable(v.number())),
  best_metric: v.optional(v.nullable(v.number())),
  best_model_checkpoint: v.optional(v.nullable(v.string())),
});

/** What of the state is a setting; the rest is progress. */
const SETTINGS = ['num_train_epochs', 'max_steps', 'train_batch_size', 'logging_steps', 'eval_steps', 'save_steps', 'trial_name'];

/** Keys of a validation row that say how it went, beside the metrics that begin with eval_. */
const SHARED = new Set(['step', 'epoch', 'time']);

export function isTrainerState(value: Fields): boolean {
  return Object.hasOwn(value, 'log_history') && !Object.hasOwn(value, 'train_history');
}

/** Collects the rows that transformers.Trainer logs: training, validation and the closing one come in one list. */
export class TrainerRows {
  readonly train: LogRow[] = [];
  readonly validation: LogRow[] = [];
  readonly finalMetrics = bareObject<number | string | null>();

  constructor(readonly reader: HistoryReader) {}

  add(raw: unknown, place: RowPlace, step?: unknown): void {
    const row = this.reader.row(raw, place, step);
    if (!row) return;
    const keys = Object.keys(row);
    if (keys.includes('train_runtime')) {
      for (const key of keys) if (!SHARED.has(key)) this.finalMetrics[key] = row[key];
      return;
    }
    const evaluated = keys.filter((key) => key.startsWith('eval_'));
    if (evaluated.length === 0) {
      this.train.push(row);
      return;
    }
    const own = keys.filter((key) => !key.startsWith('eval_') && !SHARED.has(key));
    if (own.includes('loss')) {
      this.train.push(pick(row, keys.filter((key) => !key.startsWith('eval_'))));
      this.validation.push(pick(row, keys.filter((key) => key.startsWith('eval_') || SHARED.has(key))));
    } else {
      this.validation.push(row);
    }
  }

  /** Call once, when all rows are in. */
  finish(): void {
    this.reader.noteOrder(this.train, said('trainRows'));
    this.reader.noteOrder(this.validation, said('validationRows'));
  }
}

function pick(row: LogRow, keys: readonly string[]): LogRow {
  const picked = bareRow(row.step);
  for (const key of keys) picked[key] = row[key];
  return picked;
}

/** best_metric and best_model_checkpoint, as the trainer and ms-swift name them. */
export function trainerBest(fields: { best_global_step?: number | null; best_metric?: number | null; best_model_checkpoint?: string | null }): RecordedBest | null {
  const value = fields.best_metric ?? null;
  const path = fields.best_model_checkpoint ?? null;
  if (value === null && path === null) return null;
  const metrics = bareObject<number>();
  if (value !== null && Number.isFinite(value)) metrics.best_metric = value;
  return { step: fields.best_global_step ?? stepOfPath(path), epoch: null, metric: null, path, metrics };
}

/**
 * Reads a parsed trainer_state.json, or the bare list of its log_history.
 * @throws LorikeetError "file-corrupt" naming the key that is not what it must be
 */
export function readTrainerState(value: Fields | unknown[], source: string): RunLog {
  const state = Array.isArray(value) ? { log_history: value } : value;
  const result = v.safeParse(stateSchema, state);
  if (!result.success) {
    const field = v.getDotPath(result.issues[0]) ?? '';
    throw new LorikeetError('file-corrupt', `${source}: ${field} has the wrong type.`, 'log_history is the list of rows that transformers.Trainer logged.', { file: source, field });
  }
  const rows = new TrainerRows(new HistoryReader(source));
  result.output.log_history.forEach((raw, index) => rows.add(raw, rowPlace('log_history', index)));
  rows.finish();
  const config = bareObject<unknown>();
  for (const key of SETTINGS) if (Object.hasOwn(state, key) && (state as Fields)[key] !== null) config[key] = (state as Fields)[key];
  return {
    name: source,
    source,
    dialect: 'hf-trainer-state',
    config,
    train: rows.train,
    validation: rows.validation,
    best: trainerBest(result.output),
    finalMetrics: scalars(rows.finalMetrics),
    environment: bareObject<unknown>(),
    notes: rows.reader.notes(),
  };
}
