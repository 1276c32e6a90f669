/** What crosses between the page and the workers that read logs. */
import type { ErrorRecord } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import type { PackedRun } from '../reports/packed-run.ts';
import type { ImportedHead } from './imported-head.ts';

/** One batch of dropped or picked files. */
export interface ReadLogs {
  id: number;
  /** Name of what was chosen. */
  name: string;
  files: PathFile[];
}

/** A run that was read, with what lay beside its log. */
export interface OpenedRun {
  run: PackedRun;
  /** For lists: where the run ended and what was best in it. */
  lastStep: number | null;
  lastLoss: number | null;
  best: { metric: string; value: number; step: number } | null;
  /** Bytes of the log's file. */
  bytes: number;
  /** Text of val_predictions.jsonl, where it was dropped along. */
  predictions: string | null;
}

export type LogNews =
  | { kind: 'run'; id: number; head: ImportedHead; opened: OpenedRun }
  /** One file could not be read; others may follow. */
  | { kind: 'fault'; id: number; error: ErrorRecord }
  | { kind: 'done'; id: number };

/** One run whose figures are wanted. */
export interface DescriptionRequest {
  kind: 'describe';
  /** Of a kept log. */
  id: string;
  /** The log itself, where it could not be kept. */
  run: PackedRun | null;
}
