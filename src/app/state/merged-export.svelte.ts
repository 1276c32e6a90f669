/** The merged model that is being written: one at a time, in a worker that lives only for it. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { FromExportWorker, ToExportWorker } from '../../protocol/export-messages.ts';
import { listAdapters, readRunSources } from '../../storage/runs.ts';
import { download } from '../files/download.ts';
import { language } from '../texts/language.svelte.ts';
import { model } from './model.svelte.ts';

type PickFolder = (options: { id: string; mode: 'readwrite' }) => Promise<FileSystemDirectoryHandle>;
type Permissions = FileSystemDirectoryHandle & {
  queryPermission?: (options: { mode: 'read' }) => Promise<PermissionState>;
  requestPermission?: (options: { mode: 'read' }) => Promise<PermissionState>;
};

class MergedExport {
  /** The run whose model is being written, or was last. */
  runId = $state<string | null>(null);
  working = $state(false);
  done = $state(0);
  total = $state(0);
  error = $state.raw<ErrorRecord | null>(null);
  /** What was written, once it is. */
  written = $state.raw<{ name: string; dequantised: string | null } | null>(null);
  #startedAt = 0;
  #worker: Worker | null = null;

  /** Bytes per second since the start; null until there is something to tell. */
  get rate(): number | null {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    return this.done > 0 && seconds > 0.5 ? this.done / seconds : null;
  }

  get secondsLeft(): number | null {
    return this.rate === null ? null : (this.total - this.done) / this.rate;
  }

  /** Asks where to write, then merges; call it from a click. Does nothing when the user chooses no folder. */
  async start(runId: string): Promise<void> {
    if (this.working) return;
    this.runId = runId;
    this.error = null;
    this.written = null;
    this.done = this.total = 0;
    this.working = true;
    try {
      const folder = await pickOutput();
      if (folder === 'none') return;
      const [{ model: reference }, [adapter]] = await Promise.all([readRunSources(runId), listAdapters(runId)]);
      if (!adapter) throw new LorikeetError('adapter', language.t.downloads.none);
      if (reference.kind === 'files' && reference.handle) await askToRead(reference.handle);
      this.#startedAt = performance.now();
      await this.#merge({ kind: 'merge', runId, directory: adapter.directory, open: model.source, folder });
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.working = false;
    }
  }

  cancel(): void {
    this.#worker?.postMessage({ kind: 'cancel' } satisfies ToExportWorker);
  }

  #merge(request: ToExportWorker): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('../../../workers/model-export.worker.ts', import.meta.url), { type: 'module', name: 'model-export' });
      this.#worker = worker;
      const end = () => {
        worker.terminate();
        this.#worker = null;
        resolve();
      };
      worker.addEventListener('message', ({ data }: MessageEvent<FromExportWorker>) => {
        switch (data.kind) {
          case 'progress':
            this.done = data.done;
            this.total = data.total;
            return;
          case 'done':
            this.written = { name: data.name, dequantised: data.dequantised };
            if (data.zip) download(data.zip, data.name);
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
        reject(new LorikeetError('internal', `The export stopped: ${event.message || 'its worker ended'}.`, 'Close other pages and try again; a folder that holds NOT-FINISHED.txt is not whole.'));
      });
      worker.postMessage(request);
    });
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
