/** A long job about a run: one at a time, in a worker that lives only for it. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { ToJob } from '../../protocol/job-messages.ts';
import { askWorker, type JobWords } from '../ask-worker.ts';

export abstract class WorkerJob<Request extends { kind: string }, Result> {
  /** The run that it is about, or was last. */
  runId = $state<string | null>(null);
  working = $state(false);
  done = $state(0);
  total = $state(0);
  error = $state.raw<ErrorRecord | null>(null);
  #worker: Worker | null = null;

  protected abstract open(): Worker;

  cancel(): void {
    this.#worker?.postMessage({ kind: 'cancel' } satisfies ToJob<Request>);
  }

  /** Does the whole of a job; nothing while another one is under way. What goes wrong is kept in `error`. */
  protected async begin(runId: string, work: () => Promise<void>): Promise<void> {
    if (this.working) return;
    this.runId = runId;
    this.error = null;
    this.done = this.total = 0;
    this.working = true;
    try {
      await work();
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.working = false;
    }
  }

  /**
   * Has a worker do the job; null when it was cancelled.
   * @throws LorikeetError as the job failed
   */
  protected async ask(request: Request, words: JobWords): Promise<Result | null> {
    const worker = (this.#worker = this.open());
    try {
      return await askWorker<Request, Result>(worker, request, words, (done, total) => ([this.done, this.total] = [done, total]));
    } finally {
      this.#worker = null;
    }
  }
}
