/** The page's side of a worker that does one job and then ends. */
import { LorikeetError } from '../protocol/errors.ts';
import type { FromJob, ToJob } from '../protocol/job-messages.ts';

/** What to say when the worker ends by itself. */
export interface JobWords {
  what: string;
  advice: string;
}

/**
 * Has a worker do its job, and ends it.
 * @param request tells the worker to begin
 * @returns null when the job was cancelled
 * @throws LorikeetError as the job failed; "internal" when the worker ends by itself
 */
export function askWorker<Request extends { kind: string }, Result>(worker: Worker, request: ToJob<Request>, { what, advice }: JobWords, onProgress?: (done: number, total: number) => void): Promise<Result | null> {
  return new Promise<Result | null>((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<FromJob<Result>>) => {
      if (data.kind === 'progress') onProgress?.(data.done, data.total);
      else if (data.kind === 'failed') reject(LorikeetError.fromRecord(data.error));
      else resolve(data.kind === 'done' ? data.result : null);
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      reject(new LorikeetError('internal', `${what} stopped: ${event.message || 'its worker ended'}.`, advice));
    });
    worker.postMessage(request);
  }).finally(() => worker.terminate());
}
