/** A long job about a run: one at a time, in a worker that lives only for it. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { FromJob, ToJob } from '../../protocol/job-messages.ts';

/** What to say when the worker ends by itself. */
export interface JobWords {
  what: string;
  advice: string;
}

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
   * Has a worker do the job; null when it was cancelled or failed, which is then kept in `error`.
   * @throws LorikeetError "internal" when the worker ends by itself
   */
  protected ask(request: Request, { what, advice }: JobWords): Promise<Result | null> {
    return new Promise((resolve, reject) => {
      const worker = (this.#worker = this.open());
      const end = (result: Result | null) => {
        worker.terminate();
        this.#worker = null;
        resolve(result);
      };
      worker.addEventListener('message', ({ data }: MessageEvent<FromJob<Result>>) => {
        if (data.kind === 'progress') {
          [this.done, this.total] = [data.done, data.total];
          return;
        }
        if (data.kind === 'failed') this.error = data.error;
        end(data.kind === 'done' ? data.result : null);
      });
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        reject(new LorikeetError('internal', `${what} stopped: ${event.message || 'its worker ended'}.`, advice));
        end(null);
      });
      worker.postMessage(request);
    });
  }
}
