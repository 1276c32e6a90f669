/** What crosses between the page and a worker that does one long job and then ends. */
import type { ErrorRecord } from './errors.ts';

export type ToJob<Request> = Request | { kind: 'cancel' };

export type FromJob<Result> = { kind: 'progress'; done: number; total: number } | { kind: 'done'; result: Result } | { kind: 'cancelled' } | { kind: 'failed'; error: ErrorRecord };
