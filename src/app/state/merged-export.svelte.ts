/** The merged model that is being written. */
import { LorikeetError } from '../../protocol/errors.ts';
import type { Merged, MergeRequest } from '../../protocol/export-messages.ts';
import { listAdapters, readRunSources } from '../../storage/runs.ts';
import { download } from '../files/download.ts';
import { language } from '../texts/language.svelte.ts';
import { model } from './model.svelte.ts';
import { WorkerJob } from './worker-job.svelte.ts';

type PickFolder = (options: { id: string; mode: 'readwrite' }) => Promise<FileSystemDirectoryHandle>;
type Permissions = FileSystemDirectoryHandle & {
  queryPermission?: (options: { mode: 'read' }) => Promise<PermissionState>;
  requestPermission?: (options: { mode: 'read' }) => Promise<PermissionState>;
};

const WORDS = { what: 'The export', advice: 'Close other pages and try again; a folder that holds NOT-FINISHED.txt is not whole.' };

class MergedExport extends WorkerJob<MergeRequest, Merged> {
  /** What was written, once it is. */
  written = $state.raw<{ name: string; dequantised: string | null } | null>(null);
  #startedAt = 0;

  /** Bytes per second since the start; null until there is something to tell. */
  get rate(): number | null {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    return this.done > 0 && seconds > 0.5 ? this.done / seconds : null;
  }

  get secondsLeft(): number | null {
    return this.rate === null ? null : (this.total - this.done) / this.rate;
  }

  /** Asks where to write, then merges; call it from a click. Does nothing when the user chooses no folder. */
  start(runId: string): Promise<void> {
    return this.begin(runId, async () => {
      this.written = null;
      const folder = await pickOutput();
      if (folder === 'none') return;
      const [{ model: reference }, [adapter]] = await Promise.all([readRunSources(runId), listAdapters(runId)]);
      if (!adapter) throw new LorikeetError('adapter', language.t.downloads.none);
      if (reference.kind === 'files' && reference.handle) await askToRead(reference.handle);
      this.#startedAt = performance.now();
      const merged = await this.ask({ kind: 'merge', runId, directory: adapter.directory, open: model.source, folder }, WORDS);
      if (!merged) return;
      this.written = { name: merged.name, dequantised: merged.dequantised };
      if (merged.zip) download(merged.zip, merged.name);
    });
  }

  protected open(): Worker {
    return new Worker(new URL('../../../workers/model-export.worker.ts', import.meta.url), { type: 'module', name: 'model-export' });
  }
}

/** A folder to write into; null where the browser offers none, 'none' when the user changed their mind. */
async function pickOutput(): Promise<FileSystemDirectoryHandle | null | 'none'> {
  const pick = (window as unknown as { showDirectoryPicker?: PickFolder }).showDirectoryPicker;
  if (!pick) return null;
  try {
    return await pick.call(window, { id: 'merged', mode: 'readwrite' });
  } catch (error) {
    if ((error as Error).name === 'AbortError') return 'none';
    throw error;
  }
}

/** The worker cannot ask for the base's folder; without a fresh click the browser may refuse, and the worker then says what to do. */
async function askToRead(handle: FileSystemDirectoryHandle): Promise<void> {
  const folder = handle as Permissions;
  if ((await folder.queryPermission?.({ mode: 'read' })) === 'granted') return;
  await folder.requestPermission?.({ mode: 'read' }).catch(() => undefined);
}

export const mergedExport = new MergedExport();
