/** The runs under comparison: which are chosen, and what was read of them. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import { isUnderWay } from '../../protocol/messages.ts';
import { nameRuns } from '../../reports/compare.ts';
import { packRun, unpackRun } from '../../reports/packed-run.ts';
import type { RunLog } from '../../reports/run-log.ts';
import { isImportedId } from '../../storage/imported-logs.ts';
import { listCompletionSteps, readAnswers, readLog, readPredictions } from '../../storage/runs.ts';
import { packedHistory, type RunHistories } from '../analysis/history.ts';
import { logOfOwn } from '../analysis/record-log.ts';
import { answersOf, type AnswersByStep } from '../compare/answers.ts';
import { imported } from './imported.svelte.ts';
import { route } from './route.svelte.ts';
import { runs } from './runs.svelte.ts';

export interface ComparedRun {
  id: string;
  log: RunLog;
  histories: RunHistories;
}

class Comparison {
  /** Ids in the order of choosing; the address holds them too. */
  chosen = $state.raw<readonly string[]>([]);
  errors = $state.raw<readonly { id: string; error: ErrorRecord }[]>([]);
  #read = $state.raw<ReadonlyMap<string, ComparedRun>>(new Map());

  /** Those chosen that are read, with names that tell them apart. */
  readonly runs: readonly ComparedRun[] = $derived.by(() => {
    const found = this.chosen.map((id) => this.#read.get(id)).filter((run) => run !== undefined);
    const named = nameRuns(found.map(({ id, log }) => ({ ...log, name: this.#nameOf(id) ?? log.name })));
    return found.map((run, i) => ({ ...run, log: named[i] }));
  });

  /** Chosen runs that are being trained, here or in another tab. */
  readonly growing: readonly string[] = $derived(
    this.chosen.filter((id) => {
      const own = isImportedId(id) ? undefined : runs.find(id);
      return own !== undefined && isUnderWay(own.status);
    }),
  );

  get loading(): boolean {
    return this.runs.length + this.errors.length < this.chosen.length;
  }

  /** Takes over what the address says; an address without ids keeps the last choice. */
  follow(item: string | null): void {
    if (item !== null) this.#choose(item.split(',').filter((id) => id !== ''));
    else if (this.chosen.length > 0) this.#choose(this.chosen);
  }

  toggle(id: string): void {
    this.show(this.chosen.includes(id) ? this.chosen.filter((other) => other !== id) : [...this.chosen, id]);
  }

  /** Compares these runs from now on. */
  show(ids: readonly string[]): void {
    this.#choose(ids);
    route.go('compare', ids.length > 0 ? ids.join(',') : undefined);
  }

  /** Reads the growing runs again; what is on screen stays until then. */
  async refresh(): Promise<void> {
    const ids = this.growing;
    await runs.refresh();
    await Promise.all(ids.map((id) => this.#load(id)));
  }

  /** Forgets what was read of own runs: they may have gone on. */
  forgetOwn(): void {
    this.#read = new Map([...this.#read].filter(([id]) => isImportedId(id)));
  }

  /** Validation answers by step; empty where none were kept. */
  async answers(id: string): Promise<AnswersByStep> {
    if (isImportedId(id)) return answersOf((await imported.predictions(id)) ?? '', [], null);
    const [previews, predictions] = await Promise.all([readAnswers(id), readPredictions(id)]);
    return answersOf(predictions.join(''), previews, this.#read.get(id)?.log.validation.at(-1)?.step ?? null);
  }

  /** Steps whose sampled answers are stored, ascending; opened logs bring none. */
  async completionSteps(id: string): Promise<number[]> {
    return isImportedId(id) ? [] : listCompletionSteps(id);
  }

  #nameOf(id: string): string | undefined {
    return isImportedId(id) ? imported.find(id)?.name : runs.find(id)?.name;
  }

  #choose(ids: readonly string[]): void {
    if (ids.join() !== this.chosen.join()) this.chosen = [...new Set(ids)];
    this.errors = this.errors.filter(({ id }) => this.chosen.includes(id));
    for (const id of this.chosen) if (!this.#read.has(id)) void this.#load(id);
  }

  async #load(id: string): Promise<void> {
    try {
      const log = isImportedId(id) ? null : logOfOwn(await readLog(id), this.#nameOf(id) ?? id);
      const packed = log ? packRun(log) : await imported.read(id);
      const run: ComparedRun = { id, log: log ?? unpackRun(packed), histories: { train: packedHistory(packed.train), validation: packedHistory(packed.validation) } };
      this.#read = new Map([...this.#read, [id, run]]);
      this.errors = this.errors.filter((entry) => entry.id !== id);
    } catch (error) {
      this.errors = [...this.errors.filter((entry) => entry.id !== id), { id, error: LorikeetError.from(error).toRecord() }];
    }
  }
}

export const comparison = new Comparison();
