/** One training run as every reader here delivers it, whatever program wrote the log. */
import type { Said } from './notes.ts';

/** Which program and format a log came from; found from its content, never from its name. */
export type LogDialect =
  | 'lorikeet'
  | 'original-sft'
  | 'original-dpo'
  | 'original-grpo'
  | 'original-grpo-trl'
  | 'hf-trainer-state'
  | 'llama-factory'
  | 'ms-swift'
  | 'wandb-csv'
  | 'trackio-csv'
  | 'tensorboard'
  | 'csv';

export const DIALECT_NAMES: Readonly<Record<LogDialect, string>> = {
  lorikeet: 'Lorikeet training_log.json',
  'original-sft': 'training_log.json of the SFT script',
  'original-dpo': 'training_log.json of the DPO script',
  'original-grpo': 'training_log.json of the GRPO script',
  'original-grpo-trl': 'training_log.json of the GRPO script based on TRL',
  'hf-trainer-state': 'Hugging Face trainer_state.json',
  'llama-factory': 'LLaMA-Factory trainer_log.jsonl',
  'ms-swift': 'ms-swift logging.jsonl',
  'wandb-csv': 'Weights & Biases CSV',
  'trackio-csv': 'trackio CSV',
  tensorboard: 'TensorBoard event file',
  csv: 'CSV',
};

/** Larger files are refused before they are read into memory. */
export const MAX_LOG_BYTES = 256 * 2 ** 20;
/** Train and validation rows of one file together. */
export const MAX_LOG_ROWS = 2_000_000;
/** Different metric names in one file. */
export const MAX_LOG_METRICS = 2000;
/** Characters of one metric's or setting's name. */
export const MAX_NAME_LENGTH = 200;

/**
 * One line of a history. Has no prototype, so a metric may have any name. null is a gap: the log holds the metric here,
 * but not as a finite number. A key that is absent was not logged in this row.
 */
export interface LogRow {
  step: number;
  [metric: string]: number | string | null;
}

/** What a log says about its best checkpoint; null where it does not say. */
export interface RecordedBest {
  step: number | null;
  epoch: number | null;
  /** The metric that chose it. */
  metric: string | null;
  path: string | null;
  /** Every metric noted with it. */
  metrics: Readonly<Record<string, number>>;
}

/** Something a reader should know about a log: damage, values left out, decisions of the reader. */
export interface LogNote {
  level: 'info' | 'warning';
  /** In English. */
  message: string;
  /** The same for other languages (noteText). */
  said?: Said;
  /** Lines count from 1, bytes from 0 (UTF-8). */
  line?: number;
  byte?: number;
}

export interface RunLog {
  /** Unique among the runs shown together only after nameRuns. */
  name: string;
  /** Path or file name as it was given. */
  source: string;
  dialect: LogDialect;
  config: Readonly<Record<string, unknown>>;
  train: readonly LogRow[];
  validation: readonly LogRow[];
  best: RecordedBest | null;
  /** Closing figures that stand outside the histories, such as train_runtime. */
  finalMetrics: Readonly<Record<string, number | string | null>>;
  /** Device and software, as far as the log tells. */
  environment: Readonly<Record<string, unknown>>;
  notes: readonly LogNote[];
}

/** An object that any key is safe on. */
export function bareObject<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

/** Prototype without any name in it. Unlike Object.create(null), `new` of it stays a fast object: a log may have a million rows. */
const BareRow = function () {} as unknown as { new (): LogRow; prototype: object };
BareRow.prototype = Object.create(null) as object;

/** A row that any metric name is safe on. */
export function bareRow(step: number): LogRow {
  const row = new BareRow();
  row.step = step;
  return row;
}
