/** The list of stored runs. */
import { SvelteMap } from 'svelte/reactivity';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import { isUnderWay, type PathFile, type RunSummary } from '../../protocol/messages.ts';
import { importRun } from '../../storage/import-run.ts';
import { measureRun } from '../../storage/run-size.ts';
import { deleteRun, emptyBin, labelRun, listRuns, renameRun, restoreRun } from '../../storage/runs.ts';
import { language } from '../texts/language.svelte.ts';
import { currentRun } from './current-run.svelte.ts';
import { toasts } from './toasts.svelte.ts';

/** How long deleted runs stay in the bin. */
const DAY_MS = 24 * 60 * 60 * 1000;

class RunsState {
  list = $state.raw<RunSummary[]>([]);
  loaded = $state(false);
  /** Bytes by run id, as far as they were measured. */
  readonly sizes = new SvelteMap<string, number>();
  /** Name of the archive that is being taken in. */
  importing = $state<string | null>(null);
  readonly #measuredAt = new Map<string, string>();
  #listError = $state.raw<ErrorRecord | null>(null);
  /** Stays until the next action: reading the list again must not take an error from under the user's eyes. */
  #actionError = $state.raw<ErrorRecord | null>(null);

  get error(): ErrorRecord | null {
    return this.#actionError ?? this.#listError;
  }

  /** Reads the list again, newest first. */
  async refresh(): Promise<void> {
    try {
      const runs = await listRuns();
      this.list = [...runs].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
      this.#listError = null;
    } catch (error) {
      this.#listError = LorikeetError.from(error).toRecord();
    } finally {
      this.loaded = true;
    }
  }

  find(id: string): RunSummary | undefined {
    return this.list.find((run) => run.id === id);
  }

  /** True while another tab trains the run. */
  elsewhere(run: RunSummary): boolean {
    return isUnderWay(run.status) && run.id !== currentRun.run?.id;
  }

  /** Renames at once on screen, then in storage. */
  async rename(id: string, name: string): Promise<void> {
    const trimmed = name.trim().slice(0, 120);
    if (trimmed === '') return;
    this.list = this.list.map((run) => (run.id === id ? { ...run, name: trimmed } : run));
    await this.#guard(() => renameRun(id, trimmed));
  }

  /** Writes tags or notes at once on screen, then in storage. */
  async label(id: string, labels: { tags?: string[]; notes?: string }): Promise<void> {
    this.list = this.list.map((run) => (run.id === id ? { ...run, ...labels } : run));
    await this.#guard(() => labelRun(id, labels));
  }

  /** Measures what the runs take, one after the other; those that did not change since are known. */
  async measure(): Promise<void> {
    for (const { id, updatedAt } of this.list) {
      if (this.#measuredAt.get(id) === updatedAt) continue;
      this.#measuredAt.set(id, updatedAt);
      const bytes = await measureRun(id).catch(() => null);
      if (bytes !== null) this.sizes.set(id, bytes);
    }
  }

  /** Takes exported runs in, one after the other. */
  async import(files: readonly PathFile[]): Promise<void> {
    for (const file of files) {
      this.importing = file.path;
      await this.#guard(async () => {
        const { name } = await importRun(file);
        toasts.show(language.t.library.imported(name));
      });
      this.importing = null;
      if (this.#actionError) return;
    }
  }

  /** Deletes and offers to undo. */
  async remove(run: RunSummary): Promise<void> {
    this.list = this.list.filter((other) => other.id !== run.id);
    await this.#guard(async () => {
      await deleteRun(run.id);
      toasts.show(language.t.runs.deleted(run.name), {
        label: language.t.common.undo,
        run: () => void this.#guard(() => restoreRun(run.id)),
      });
    });
  }

  /** Removes for good what was deleted more than a day ago. */
  async emptyBin(): Promise<void> {
    await this.#guard(() => emptyBin(DAY_MS));
  }

  async #guard(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
      this.#actionError = null;
    } catch (error) {
      this.#actionError = LorikeetError.from(error).toRecord();
    }
    await this.refresh();
  }
}

export const runs = new RunsState();
