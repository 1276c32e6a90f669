/** Models in this browser's storage, and the one that is being downloaded: one at a time, in a worker that lives only for it. */
import type { HubListing } from '../../hub/listing.ts';
import type { HubPlace } from '../../hub/place.ts';
import type { FromDownloadWorker, ToDownloadWorker } from '../../protocol/download-messages.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import { beginRecord, deleteStoredModel, listStoredModels, openStoredModel, type StoredModel } from '../../storage/stored-model.ts';
import { hubAccess } from './hub-access.svelte.ts';
import { model } from './model.svelte.ts';
import { Rate } from './rate.ts';
import { settings } from './settings.svelte.ts';
import { askToKeepStorage, storageQuota } from './storage-quota.svelte.ts';

class StoredModels {
  list = $state.raw<StoredModel[]>([]);
  /** Folder of the model that this tab is downloading. */
  active = $state<string | null>(null);
  done = $state(0);
  total = $state(0);
  checking = $state<string | null>(null);
  bytesPerSecond = $state<number | null>(null);
  pausing = $state(false);
  /** Why the last download or deletion ended, and whose. */
  error = $state.raw<{ key: string; record: ErrorRecord } | null>(null);
  #worker: Worker | null = null;

  get secondsLeft(): number | null {
    return this.bytesPerSecond ? (this.total - this.done) / this.bytesPerSecond : null;
  }

  async refresh(): Promise<void> {
    try {
      this.list = await listStoredModels();
    } catch {
      // Without storage there are no stored models.
      this.list = [];
    }
    await storageQuota.refresh();
  }

  /** Begins a download, or goes on with it where it was begun before. */
  async begin(place: HubPlace, listing: HubListing): Promise<void> {
    askToKeepStorage();
    const { key, record } = await beginRecord(place, listing);
    await this.refresh();
    if (!record.finishedAt) this.resume(key);
  }

  /** Goes on with a download in a worker of its own; what happens is told in this object. */
  resume(key: string): void {
    if (this.active !== null) return;
    this.active = key;
    this.done = this.total = 0;
    this.bytesPerSecond = null;
    this.error = null;
    this.pausing = false;
    const rate = new Rate();
    const worker = new Worker(new URL('../../../workers/model-download.worker.ts', import.meta.url), { type: 'module', name: 'model-download' });
    this.#worker = worker;
    worker.addEventListener('message', ({ data }: MessageEvent<FromDownloadWorker>) => {
      if (data.kind !== 'progress') return this.#ended(data.kind === 'failed' ? data.error : null);
      this.done = data.done;
      this.total = data.total;
      this.checking = data.checking;
      this.bytesPerSecond = rate.add(data.done, performance.now());
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#ended(new LorikeetError('internal', event.message || 'The download stopped.', 'Resume it: what has arrived is kept.').toRecord());
    });
    worker.postMessage({ kind: 'download', key, token: hubAccess.tokenOrNull } satisfies ToDownloadWorker);
  }

  pause(): void {
    this.pausing = true;
    this.#worker?.postMessage({ kind: 'pause' } satisfies ToDownloadWorker);
  }

  async delete(key: string): Promise<void> {
    this.error = null;
    try {
      await deleteStoredModel(key);
    } catch (error) {
      this.error = { key, record: LorikeetError.from(error).toRecord() };
    }
    await this.refresh();
  }

  /** Loads a whole model into the trainer. */
  async use(key: string): Promise<boolean> {
    this.error = null;
    const { config } = settings;
    if (!config) return false;
    try {
      return await model.load(await openStoredModel(key), config);
    } catch (error) {
      this.error = { key, record: LorikeetError.from(error).toRecord() };
      return false;
    }
  }

  #ended(error: ErrorRecord | null): void {
    if (error && this.active !== null) this.error = { key: this.active, record: error };
    this.#worker?.terminate();
    this.#worker = null;
    this.active = null;
    this.checking = null;
    void this.refresh();
  }
}

export const storedModels = new StoredModels();
