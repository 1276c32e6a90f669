/** The bundle that is being packed for a cluster: one at a time, in a worker that lives only for it. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { FromHandoffWorker, ToHandoffWorker } from '../../protocol/handoff-messages.ts';
import { download } from '../files/download.ts';
import { dataset } from './dataset.svelte.ts';
import { model } from './model.svelte.ts';

class Handoff {
  /** The run that is being packed, or was last. */
  runId = $state<string | null>(null);
  working = $state(false);
  done = $state(0);
  total = $state(0);
  error = $state.raw<ErrorRecord | null>(null);
  /** Name of the file that was given, once it is. */
  given = $state<string | null>(null);
  #worker: Worker | null = null;

  /** Packs a run and downloads the ZIP. */
  async start(runId: string): Promise<void> {
    if (this.working) return;
    this.runId = runId;
    this.error = null;
    this.given = null;
    this.done = this.total = 0;
    this.working = true;
    try {
      await this.#pack({ kind: 'pack', runId, openModel: model.source, openData: dataset.source });
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.working = false;
    }
  }

  cancel(): void {
    this.#worker?.postMessage({ kind: 'cancel' } satisfies ToHandoffWorker);
  }

  #pack(request: ToHandoffWorker): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('../../../workers/handoff.worker.ts', import.meta.url), { type: 'module', name: 'handoff' });
      this.#worker = worker;
      const end = () => {
        worker.terminate();
        this.#worker = null;
        resolve();
      };
      worker.addEventListener('message', ({ data }: MessageEvent<FromHandoffWorker>) => {
        switch (data.kind) {
          case 'progress':
            this.done = data.done;
            this.total = data.total;
            return;
          case 'done':
            this.given = data.name;
            download(data.zip, data.name);
            break;
          case 'failed':
            this.error = data.error;
            break;
          case 'cancelled':
            break;
        }
        end();
      });
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        end();
        reject(new LorikeetError('internal', `Packing stopped: ${event.message || 'its worker ended'}.`, 'Close other pages and try again.'));
      });
      worker.postMessage(request);
    });
  }
}

export const handoff = new Handoff();
