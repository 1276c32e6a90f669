/** The bundle that is being packed for a cluster. */
import type { HandoffRequest, PackedRun } from '../../protocol/handoff-messages.ts';
import { download } from '../files/download.ts';
import { dataset } from './dataset.svelte.ts';
import { model } from './model.svelte.ts';
import { WorkerJob } from './worker-job.svelte.ts';

class Handoff extends WorkerJob<HandoffRequest, PackedRun> {
  /** Name of the file that was given, once it is. */
  given = $state<string | null>(null);

  /** Packs a run and downloads the ZIP. */
  start(runId: string): Promise<void> {
    return this.begin(runId, async () => {
      this.given = null;
      const packed = await this.ask({ kind: 'pack', runId, openModel: model.source, openData: dataset.source }, { what: 'Packing', advice: 'Close other pages and try again.' });
      if (!packed) return;
      this.given = packed.name;
      download(packed.zip, packed.name);
    });
  }

  protected open(): Worker {
    return new Worker(new URL('../../../workers/handoff.worker.ts', import.meta.url), { type: 'module', name: 'handoff' });
  }
}

export const handoff = new Handoff();
