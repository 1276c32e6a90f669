/// <reference lib="webworker" />
/** A worker that lives for one job: progress at a pace that the page can draw, and an end when it is cancelled. */
import { LorikeetError } from '../src/protocol/errors.ts';
import type { FromJob, ToJob } from '../src/protocol/job-messages.ts';

export interface JobProgress {
  signal: AbortSignal;
  onProgress: (done: number, total: number) => void;
}

/** Milliseconds between two reports. */
const PACE = 200;

/**
 * Waits for the page's request and answers it.
 * @param work gets the request and the address of the built-in model and data
 */
export function serveOneJob<Request extends { kind: string }, Result>(work: (request: Request, demoUrl: string, progress: JobProgress) => Promise<Result>): void {
  const scope = self as unknown as DedicatedWorkerGlobalScope;
  const send = (message: FromJob<Result>) => scope.postMessage(message);
  const demoUrl = new URL('../demo/', scope.location.href).href;
  const cancelling = new AbortController();
  let lastReport = 0;

  function onProgress(done: number, total: number): void {
    const now = performance.now();
    if (now - lastReport < PACE && done < total) return;
    lastReport = now;
    send({ kind: 'progress', done, total });
  }

  scope.onmessage = ({ data }: MessageEvent<ToJob<Request>>) => {
    if (data.kind === 'cancel') return cancelling.abort(new DOMException('Cancelled.', 'AbortError'));
    work(data as Request, demoUrl, { signal: cancelling.signal, onProgress }).then(
      (result) => send({ kind: 'done', result }),
      (error: unknown) => send(cancelling.signal.aborted ? { kind: 'cancelled' } : { kind: 'failed', error: LorikeetError.from(error).toRecord() }),
    );
  };
}
