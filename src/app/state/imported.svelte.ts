/** Logs opened on the page: reading, the list, and what is kept of them. */
import type { ImportedHead } from '../../imports/imported-head.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { PathFile } from '../../protocol/messages.ts';
import { distinctNames } from '../../reports/compare.ts';
import type { PackedRun } from '../../reports/packed-run.ts';
import { binImported, emptyImportedBin, listImported, readImported, readImportedPredictions, renameImported } from '../../storage/imported-logs.ts';
import { readInWorker } from '../imports/log-reader.ts';
import { language } from '../texts/language.svelte.ts';
import { toasts } from './toasts.svelte.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Runs held in memory beside those on screen. */
const KEPT = 8;

class ImportedState {
  list = $state.raw<ImportedHead[]>([]);
  loaded = $state(false);
  /** What the last opening could not read. */
  faults = $state.raw<ErrorRecord[]>([]);
  reading = $state<string | null>(null);
  /** Ids of the last opening, for a view that wants to choose them. */
  latest = $state.raw<string[]>([]);
  readonly #runs = new Map<string, PackedRun>();
  readonly #predictions = new Map<string, string | null>();

  /** Names that tell the logs apart, by id. */
  readonly names: ReadonlyMap<string, string> = $derived.by(() => {
    const names = distinctNames(this.list.map(({ name }) => name));
    return new Map(this.list.map(({ id }, i) => [id, names[i]]));
  });

  async refresh(): Promise<void> {
    try {
      this.list = await listImported();
    } catch (error) {
      this.faults = [LorikeetError.from(error).toRecord()];
    } finally {
      this.loaded = true;
    }
  }

  find(id: string): ImportedHead | undefined {
    return this.list.find((head) => head.id === id);
  }

  /** Reads dropped or picked files; runs appear in the list one by one and are then kept. */
  async open(chosen: { name: string; files: readonly PathFile[] }): Promise<string[]> {
    if (this.reading !== null) return [];
    this.reading = chosen.name;
    this.faults = [];
    const ids: string[] = [];
    try {
      await readInWorker(chosen.files, chosen.name, {
        run: (head, opened) => {
          ids.push(head.id);
          this.#remember(head.id, opened.run, opened.predictions);
          this.list = [head, ...this.list];
        },
        fault: (error) => (this.faults = [...this.faults, error]),
      });
    } finally {
      this.reading = null;
      this.latest = ids;
    }
    if (ids.length > 0) toasts.show(language.t.imports.opened(ids.length));
    return ids;
  }

  /**
   * The log's columns, from memory or storage.
   * @throws LorikeetError "file-missing"
   */
  async read(id: string): Promise<PackedRun> {
    const known = this.#runs.get(id);
    if (known) return known;
    const run = await readImported(id);
    this.#remember(id, run, await readImportedPredictions(id));
    return run;
  }

  /** Text of the log's val_predictions.jsonl, where it was dropped along. */
  async predictions(id: string): Promise<string | null> {
    if (!this.#predictions.has(id)) await this.read(id);
    return this.#predictions.get(id) ?? null;
  }

  async rename(id: string, name: string): Promise<void> {
    const trimmed = name.trim().slice(0, 200);
    if (trimmed === '') return;
    this.list = this.list.map((head) => (head.id === id ? { ...head, name: trimmed } : head));
    await this.#guard(() => renameImported(id, trimmed));
  }

  /** Deletes and offers to undo. */
  async remove(head: ImportedHead): Promise<void> {
    this.list = this.list.filter(({ id }) => id !== head.id);
    await this.#guard(async () => {
      await binImported(head.id, true);
      toasts.show(language.t.runs.deleted(head.name), { label: language.t.common.undo, run: () => void this.#guard(() => binImported(head.id, false)) });
    });
  }

  async emptyBin(): Promise<void> {
    await this.#guard(() => emptyImportedBin(DAY_MS));
  }

  #remember(id: string, run: PackedRun, predictions: string | null): void {
    this.#runs.set(id, run);
    this.#predictions.set(id, predictions);
    const stored = [...this.#runs.keys()];
    for (const old of stored.slice(0, Math.max(0, stored.length - KEPT))) {
      this.#runs.delete(old);
      this.#predictions.delete(old);
    }
  }

  async #guard(action: () => Promise<unknown>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.faults = [LorikeetError.from(error).toRecord()];
    }
    await this.refresh();
  }
}

export const imported = new ImportedState();
