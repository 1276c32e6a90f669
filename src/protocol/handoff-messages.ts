/** What crosses between the page and the worker that packs a run for a cluster. */
import type { ErrorRecord } from './errors.ts';
import type { DatasetSource, ModelSource } from './messages.ts';

export interface HandoffRequest {
  kind: 'pack';
  runId: string;
  /** What is open in the page; used where it is the run's own. */
  openModel: ModelSource | null;
  openData: DatasetSource | null;
}

export type ToHandoffWorker = HandoffRequest | { kind: 'cancel' };

export type FromHandoffWorker =
  | { kind: 'progress'; done: number; total: number }
  | { kind: 'done'; name: string; zip: Blob }
  | { kind: 'cancelled' }
  | { kind: 'failed'; error: ErrorRecord };
