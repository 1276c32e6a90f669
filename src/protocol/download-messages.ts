/** What crosses between the page and the worker that downloads a model. */
import type { ErrorRecord } from './errors.ts';

export type ToDownloadWorker =
  /** The folder of a download that has been begun; the token is used and forgotten. */
  | { kind: 'download'; key: string; token: string | null }
  | { kind: 'pause' };

export type FromDownloadWorker =
  | { kind: 'progress'; done: number; total: number; checking: string | null }
  | { kind: 'done' }
  | { kind: 'paused' }
  | { kind: 'failed'; error: ErrorRecord };
