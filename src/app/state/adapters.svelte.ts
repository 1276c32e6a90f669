/** Adapters that can be chosen: those of this browser's runs, and the built-in one where its files are published. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { AdapterSource, RunSummary } from '../../protocol/messages.ts';
import { listAdapters } from '../../storage/runs.ts';
import { runs } from './runs.svelte.ts';

export interface RunAdapters {
  run: RunSummary;
  directories: readonly { directory: string; step: number }[];
}

class Adapters {
  ofRuns = $state.raw<readonly RunAdapters[]>([]);
  /** Whether the built-in adapter is there. */
  demo = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  #lookedForDemo = false;
  #turn = 0;

  /** Looks again at what the given runs hold. */
  async refresh(list: readonly RunSummary[]): Promise<void> {
    const turn = ++this.#turn;
    void this.#findDemo();
    try {
      const all = await Promise.all(list.map(async (run) => ({ run, directories: await listAdapters(run.id) })));
      if (turn !== this.#turn) return;
      this.ofRuns = all.filter(({ directories }) => directories.length > 0);
      this.error = null;
    } catch (error) {
      if (turn === this.#turn) this.error = LorikeetError.from(error).toRecord();
    }
  }

  async #findDemo(): Promise<void> {
    if (this.#lookedForDemo) return;
    this.#lookedForDemo = true;
    try {
      const answer = await fetch(new URL('demo/adapter/adapter_config.json', document.baseURI), { method: 'HEAD' });
      // Servers of single-page applications answer any address with the page itself.
      this.demo = answer.ok && !(answer.headers.get('content-type') ?? '').includes('html');
    } catch {
      this.#lookedForDemo = false;
    }
  }
}

export const adapters = new Adapters();

/** Tells one choice from another; '' is none. Dropped folders all have the same key. */
export function adapterKey(source: AdapterSource | null): string {
  if (source === null) return '';
  return source.kind === 'run' ? `run/${source.runId}/${source.directory}` : source.kind;
}

/** The choice with that key, unless it is a dropped folder, which only its files can name. */
export function adapterOf(key: string): AdapterSource | null {
  if (key === 'demo') return { kind: 'demo' };
  const [kind, runId, directory] = key.split('/');
  return kind === 'run' ? { kind: 'run', runId, directory } : null;
}

/** The newest adapter of this browser, its best before its final one. */
export function newestAdapter(): AdapterSource | null {
  const newest = adapters.ofRuns.find(({ run }) => !runs.elsewhere(run));
  return newest ? { kind: 'run', runId: newest.run.id, directory: newest.directories[0].directory } : null;
}
