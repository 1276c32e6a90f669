/** The adapter that is being uploaded to the Hub: one at a time. */
import { readModelId } from '../../hub/place.ts';
import { uploadFolder } from '../../hub/upload.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import { adapterFolder } from '../files/adapter-folder.ts';
import { language } from '../texts/language.svelte.ts';
import { hubAccess } from './hub-access.svelte.ts';

class HubUpload {
  /** The run whose adapter is being uploaded, or was last. */
  runId = $state<string | null>(null);
  working = $state(false);
  done = $state(0);
  total = $state(0);
  error = $state.raw<ErrorRecord | null>(null);
  /** Address of the repository, once the commit is there. */
  url = $state<string | null>(null);
  #stopping = new AbortController();

  /**
   * @param wanted "owner/name" as typed
   * @param isPrivate of a repository that has to be made
   */
  async start(runId: string, name: string, wanted: string, isPrivate: boolean): Promise<void> {
    if (this.working) return;
    const t = language.t.downloads;
    this.runId = runId;
    this.error = null;
    this.url = null;
    this.done = this.total = 0;
    this.working = true;
    this.#stopping = new AbortController();
    try {
      const { id } = readModelId(wanted);
      const { base, token } = hubAccess.settle();
      if (!token) throw new LorikeetError('hub-access', t.hub.noToken, '', { field: 'token' });
      const files = await adapterFolder(runId, t.none);
      const { url } = await uploadFolder({ base, id, token }, files, {
        private: isPrivate,
        message: `Adapter of ${name}`.replace(/\s+/g, ' ').slice(0, 120),
        signal: this.#stopping.signal,
        onProgress: (done, total) => {
          this.done = done;
          this.total = total;
        },
      });
      this.url = url;
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.working = false;
    }
  }

  cancel(): void {
    this.#stopping.abort(new DOMException('Cancelled.', 'AbortError'));
  }
}

export const hubUpload = new HubUpload();
