/** Sweeps: runs one planned run after the other by the usual way, remembers how far it came, and goes on after a reload. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { TrainerEvent } from '../../protocol/messages.ts';
import { planSweep, sweepConfig, type SweepDefinition } from '../../protocol/sweep.ts';
import { lockedRuns, lockRun } from '../../storage/locks.ts';
import { labelRun } from '../../storage/runs.ts';
import { listSweeps, removeSweep, saveSweep, type SweepRecord, type SweepRun } from '../../storage/sweeps.ts';
import { settingText } from '../sweep/setting-text.ts';
import { currentRun } from './current-run.svelte.ts';
import { dataset } from './dataset.svelte.ts';
import { model } from './model.svelte.ts';
import { runs } from './runs.svelte.ts';
import { session } from './session.svelte.ts';
import { settings } from './settings.svelte.ts';
import { trainer } from './trainer.svelte.ts';

/** How a run ended: its last word, or null when its worker is gone. */
type End = Extract<TrainerEvent, { type: 'finished' | 'failed' }> | null;

class Sweeps {
  list = $state.raw<SweepRecord[]>([]);
  loaded = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  /** Id of the sweep that this tab runs. */
  running = $state<string | null>(null);
  /** Sweeps that another tab runs. */
  #elsewhere = $state.raw<ReadonlySet<string>>(new Set());
  #onEnd: ((end: End) => void) | null = null;

  constructor() {
    trainer.subscribe((event) => {
      if (event.type === 'finished' || (event.type === 'failed' && event.runId !== null)) this.#onEnd?.(event);
    });
    trainer.onGone(() => this.#onEnd?.(null));
  }

  /** A sweep that was cut off, or paused, and waits for going on. */
  get waiting(): SweepRecord | undefined {
    return this.list.find((sweep) => (sweep.state === 'running' || sweep.state === 'paused') && sweep.id !== this.running && !this.#elsewhere.has(sweep.id));
  }

  find(id: string): SweepRecord | undefined {
    return this.list.find((sweep) => sweep.id === id);
  }

  isElsewhere(id: string): boolean {
    return this.#elsewhere.has(id) && this.running !== id;
  }

  async refresh(): Promise<void> {
    try {
      const [list, locked] = await Promise.all([listSweeps(), lockedRuns()]);
      // What this tab runs is newer in memory than on disk.
      this.list = list.map((sweep) => (sweep.id === this.running ? (this.find(sweep.id) ?? sweep) : sweep));
      this.#elsewhere = locked;
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.loaded = true;
    }
  }

  /**
   * Plans and stores a sweep over the present settings, and starts it.
   * @returns its id, or null when it was refused; why is in `error`
   */
  async start(definition: SweepDefinition): Promise<string | null> {
    const base = settings.config;
    if (!base || this.running !== null) return null;
    try {
      const { runs: planned } = planSweep(base, definition);
      const sweep: SweepRecord = {
        id: `sweep-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}-${crypto.randomUUID().slice(0, 4)}`,
        createdAt: new Date().toISOString(),
        definition,
        base,
        model: model.source?.kind === 'demo' ? null : model.displayName,
        dataset: dataset.source?.kind === 'demo' ? 'demo' : 'files',
        runs: planned.map((varied) => ({ settings: varied, runId: null, state: 'waiting', note: null })),
        state: 'running',
      };
      await saveSweep(sweep);
      this.list = [sweep, ...this.list];
      void this.continue(sweep.id);
      return sweep.id;
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
      return null;
    }
  }

  /** Runs what is left of a sweep. What stops it as a whole is in `error`. */
  async continue(id: string): Promise<void> {
    if (this.running !== null || currentRun.active) return;
    this.error = null;
    let release: (() => Promise<void>) | null = null;
    try {
      release = await lockRun(id);
      this.running = id;
      await this.#change(id, { state: 'running' });
      for (let at = this.#next(id); at !== null && this.find(id)?.state === 'running'; at = this.#next(id)) await this.#runOne(id, at);
      if (this.#next(id) === null && this.find(id)?.state === 'running') await this.#change(id, { state: 'finished' });
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
      if (this.running === id) await this.#change(id, { state: 'paused' }).catch(() => undefined);
    } finally {
      const base = this.find(id)?.base;
      if (this.running === id && base && !currentRun.active) settings.adopt(base);
      this.running = null;
      await release?.();
      await this.refresh();
    }
  }

  /** No further run begins; the present one goes on to its end. */
  async pause(id: string): Promise<void> {
    await this.#change(id, { state: 'paused' });
  }

  /** Ends the present run and leaves out the rest. */
  async stop(id: string): Promise<void> {
    await this.#change(id, { state: 'stopped' });
    if (this.running === id && currentRun.active) await currentRun.command('stop');
  }

  /** Forgets the sweep; its runs stay in the list. */
  async remove(id: string): Promise<void> {
    if (this.running === id) return;
    await removeSweep(id);
    await this.refresh();
  }

  #next(id: string): number | null {
    const at = this.find(id)?.runs.findIndex(({ state }) => state === 'waiting' || state === 'running') ?? -1;
    return at < 0 ? null : at;
  }

  async #runOne(id: string, at: number): Promise<void> {
    const sweep = this.find(id) as SweepRecord;
    const config = sweepConfig(sweep.base, sweep.runs[at].settings);
    await this.#load(sweep);
    const ended = new Promise<End>((resolve) => (this.#onEnd = resolve));
    try {
      const half = await this.#half(sweep.runs[at].runId);
      if (half) await session.resume(half);
      else {
        settings.adopt(config);
        await session.start(`${sweep.definition.name} ${at + 1}: ${settingText(sweep.runs[at].settings)}`);
      }
      const runId = currentRun.run?.id ?? null;
      if (session.error || runId === null) {
        await this.#mark(id, at, { state: 'failed', note: session.error?.message ?? null });
        return;
      }
      await this.#mark(id, at, { state: 'running', runId });
      await labelRun(runId, { tags: [...(runs.find(runId)?.tags ?? []), sweep.definition.name] });
      const end = await ended;
      await runs.refresh();
      if (end?.type === 'failed') await this.#mark(id, at, { state: 'failed', note: end.error.message });
      else if (end === null) await this.#mark(id, at, { state: 'failed', note: trainer.error?.message ?? null });
      else if (runs.find(runId)?.status === 'stopped') {
        await this.#mark(id, at, { state: 'stopped' });
        // Whoever stops a run wants to look: the rest waits.
        if (this.find(id)?.state === 'running') await this.#change(id, { state: 'paused' });
      } else await this.#mark(id, at, { state: 'done' });
    } finally {
      this.#onEnd = null;
    }
  }

  /** The half-trained run of a sweep that was cut off, if it can go on. */
  async #half(runId: string | null) {
    if (runId === null) return null;
    await runs.refresh();
    const run = runs.find(runId);
    return run?.resumable ? run : null;
  }

  /** Model and data, again where a worker died or the page was loaded anew. */
  async #load(sweep: SweepRecord): Promise<void> {
    if (!trainer.ready) await trainer.restart();
    if (model.summary === null) {
      const source = model.source ?? (sweep.model === null ? { kind: 'demo' as const } : null);
      if (!source) throw new LorikeetError('resume', `The sweep was made with the model ${sweep.model}.`, 'Choose that model under Train, then continue the sweep.', { field: 'model' });
      if (!(await model.load(source, sweep.base)) && model.error) throw LorikeetError.fromRecord(model.error);
    }
    if (dataset.summary === null) {
      const source = dataset.source ?? (sweep.dataset === 'demo' ? { kind: 'demo' as const } : null);
      if (!source) throw new LorikeetError('resume', 'The sweep was made with data that is not loaded.', 'Load the same data under Train, then continue the sweep.', { field: 'dataset' });
      if (!(await dataset.load(source, sweep.base)) && dataset.error) throw LorikeetError.fromRecord(dataset.error);
    }
  }

  async #mark(id: string, at: number, change: Partial<SweepRun>): Promise<void> {
    const sweep = this.find(id);
    if (sweep) await this.#change(id, { runs: sweep.runs.map((run, i) => (i === at ? { ...run, ...change } : run)) });
  }

  async #change(id: string, change: Partial<SweepRecord>): Promise<void> {
    const sweep = this.find(id);
    if (!sweep) return;
    const next = { ...sweep, ...change };
    this.list = this.list.map((other) => (other.id === id ? next : other));
    await saveSweep(next);
  }
}

export const sweeps = new Sweeps();
