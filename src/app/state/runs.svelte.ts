/** The list of stored runs. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { RunStatus, RunSummary } from '../../protocol/messages.ts';
import { deleteRun, emptyBin, listRuns, renameRun, restoreRun } from '../../storage/runs.ts';
import { language } from '../texts/language.svelte.ts';
import { currentRun } from './current-run.svelte.ts';
import { toasts } from './toasts.svelte.ts';

/** How long deleted runs stay in the bin. */
const DAY_MS = 24 * 60 * 60 * 1000;

const ACTIVE: readonly RunStatus[] = ['preparing', 'running', 'validating', 'paused'];

class RunsState {
  list = $state.raw<RunSummary[]>([]);
  loaded = $state(false);
  error = $state.raw<ErrorRecord | null>(null);

  /** Reads the list again, newest first. */
  async refresh(): Promise<void> {
    try {
      const runs = await listRuns();
      this.list = [...runs].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
      this.error = null;
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.loaded = true;
    }
  }

  find(id: string): RunSummary | undefined {
    return this.list.find((run) => run.id === id);
  }

  /** True while another tab trains the run. */
  elsewhere(run: RunSummary): boolean {
    return ACTIVE.includes(run.status) && run.id !== currentRun.run?.id;
  }

  /** Renames at once on screen, then in storage. */
  async rename(id: string, name: string): Promise<void> {
    const trimmed = name.trim().slice(0, 120);
    if (trimmed === '') return;
    this.list = this.list.map((run) => (run.id === id ? { ...run, name: trimmed } : run));
    await this.#guard(() => renameRun(id, trimmed));
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
    } catch (error) {
      await this.refresh();
      this.error = LorikeetError.from(error).toRecord();
      return;
    }
    await this.refresh();
  }
}

export const runs = new RunsState();
