/**
 * Sweeps: runs one planned run after the other by the usual way, remembers how far it came, and goes on after a reload.
 * A run that fails is marked with its reason and the next one begins; what would fail every run, and a run that the user
 * stops, pause the sweep.
 */
import { LorikeetError, type ErrorCode, type ErrorRecord } from '../../protocol/errors.ts';
import type { RunSummary, TrainerEvent } from '../../protocol/messages.ts';
import { planSweep, sweepConfig, type SweepDefinition } from '../../protocol/sweep.ts';
import { lockedRuns, lockRun, takeTurn } from '../../storage/locks.ts';
import { labelRun } from '../../storage/runs.ts';
import { listSweeps, removeSweep, saveSweep, type SweepRecord, type SweepRun } from '../../storage/sweeps.ts';
import { runsLeft } from '../sweep/results.ts';
import { settingText } from '../sweep/setting-text.ts';
import { language } from '../texts/language.svelte.ts';
import { currentRun } from './current-run.svelte.ts';
import { dataset } from './dataset.svelte.ts';
import { model } from './model.svelte.ts';
import { runs } from './runs.svelte.ts';
import { session } from './session.svelte.ts';
import { settings } from './settings.svelte.ts';
import { checkSameData, loadForSweep, sourcesNow } from './sweep-sources.ts';
import { toasts } from './toasts.svelte.ts';
import { NEEDS_RESTART, trainer } from './trainer.svelte.ts';

/** How a run ended: its last word, or null when its worker is gone. */
type End = Extract<TrainerEvent, { type: 'finished' | 'failed' }> | null;

/** Faults of the browser rather than of one run's settings: the next run would meet them too. */
const MEETS_EVERY_RUN: readonly ErrorCode[] = ['storage-full', 'storage-failed', 'webgpu-missing', 'self-test-failed'];

class Sweeps {
  list = $state.raw<SweepRecord[]>([]);
  loaded = $state(false);
  /** Id of the sweep that this tab runs. */
  running = $state<string | null>(null);
  /** The sweep of this tab waits until another tab has trained a run of its own. */
  queued = $state(false);
  /** Id of the sweep whose note in the Train view was put away. */
  dismissed = $state<string | null>(null);
  /** Sweeps that another tab runs. */
  #elsewhere = $state.raw<ReadonlySet<string>>(new Set());
  #error = $state.raw<{ id: string | null; record: ErrorRecord } | null>(null);
  #onEnd: ((end: End) => void) | null = null;
  /** Until then, what the user wants of the sweep would be overwritten by its record as it is being read. */
  #begun: Promise<void> = Promise.resolve();
  /** Ends the waiting for this tab's turn. */
  #waiting = new AbortController();
  /** The last run failed so that the next one needs a fresh worker. */
  #restartFirst = false;

  constructor() {
    trainer.subscribe((event) => {
      if (event.type === 'finished' || event.type === 'failed') this.#onEnd?.(event);
    });
    trainer.onGone(() => this.#onEnd?.(null));
  }

  /** A sweep that was cut off, or paused, and waits for going on. */
  get waiting(): SweepRecord | undefined {
    return this.list.find((sweep) => (sweep.state === 'running' || sweep.state === 'paused') && sweep.id !== this.running && !this.#elsewhere.has(sweep.id) && runsLeft(sweep) > 0);
  }

  /** The waiting sweep, where it can go on now and its note was not put away. */
  get offered(): SweepRecord | undefined {
    const { waiting } = this;
    return waiting?.id === this.dismissed || this.running !== null || currentRun.active || session.starting ? undefined : waiting;
  }

  find(id: string): SweepRecord | undefined {
    return this.list.find((sweep) => sweep.id === id);
  }

  isElsewhere(id: string): boolean {
    return this.#elsewhere.has(id) && this.running !== id;
  }

  /** What stopped this sweep as a whole; with null, why a new one or the list was refused. */
  errorOf(id: string | null): ErrorRecord | null {
    return this.#error?.id === id ? this.#error.record : null;
  }

  async refresh(): Promise<void> {
    try {
      const [list, locked] = await Promise.all([listSweeps(), lockedRuns()]);
      // What this tab runs is newer in memory than on disk.
      this.list = list.map((sweep) => (sweep.id === this.running ? (this.find(sweep.id) ?? sweep) : sweep));
      this.#elsewhere = locked;
    } catch (error) {
      this.#fail(null, error);
    } finally {
      this.loaded = true;
    }
  }

  /**
   * Plans and stores a sweep over the present settings, and starts it.
   * @returns its id, or null when it was refused; why is in `errorOf(null)`
   */
  async start(definition: SweepDefinition): Promise<string | null> {
    const base = settings.config;
    if (!base || !session.readyToStart || this.running !== null) return null;
    this.#error = null;
    try {
      const { runs: planned } = planSweep(base, definition);
      const sweep: SweepRecord = {
        id: `sweep-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}-${crypto.randomUUID().slice(0, 4)}`,
        createdAt: new Date().toISOString(),
        definition,
        base,
        ...sourcesNow(),
        runs: planned.map((varied) => ({ settings: varied, runId: null, state: 'waiting', error: null })),
        state: 'running',
      };
      await saveSweep(sweep);
      this.list = [sweep, ...this.list];
      void this.continue(sweep.id);
      return sweep.id;
    } catch (error) {
      this.#fail(null, error);
      return null;
    }
  }

  /** Runs what is left of a sweep, or takes back that it pauses. What stops it as a whole is in `errorOf`. */
  async continue(id: string): Promise<void> {
    if (this.running === id && this.find(id)?.state === 'paused') await this.#change(id, { state: 'running' });
    if (this.running !== null || currentRun.active || session.starting) return;
    this.running = id;
    this.#error = null;
    let begun: () => void = () => undefined;
    this.#begun = new Promise((resolve) => (begun = resolve));
    let release: (() => Promise<void>) | null = null;
    try {
      release = await lockRun(id);
      // Another tab may have come further since the list was read.
      this.list = await listSweeps();
      await this.#change(id, { state: 'running' });
      begun();
      await this.#runAll(id);
    } catch (error) {
      this.#fail(id, error);
      if (release && this.find(id)?.state === 'running') await this.#change(id, { state: 'paused' }).catch(() => undefined);
    } finally {
      const base = this.find(id)?.base;
      if (release && base && !currentRun.active) settings.adopt(base);
      this.running = null;
      begun();
      await release?.();
      await this.refresh();
    }
  }

  /** No further run begins; the present one goes on to its end. */
  async pause(id: string): Promise<void> {
    await this.#begun;
    if (this.running !== id) return;
    await this.#change(id, { state: 'paused' });
    this.#waiting.abort();
  }

  /** Ends the present run and leaves out the rest, which `continue` can still take up. */
  async stop(id: string): Promise<void> {
    await this.#begun;
    if (this.running !== id) {
      await this.#alone(id, () => this.#change(id, { state: 'stopped' }));
      return;
    }
    await this.#change(id, { state: 'stopped' });
    this.#waiting.abort();
    // A run that is just being started hears of it once it is under way.
    if (currentRun.active && !session.starting) await currentRun.command('stop');
  }

  /** Forgets the sweep and offers to undo; its runs stay in the list. */
  async remove(id: string): Promise<void> {
    if (this.running === id) return;
    await this.#alone(id, async (sweep) => {
      await removeSweep(id);
      toasts.show(language.t.sweep.forgotten(sweep.definition.name), {
        label: language.t.common.undo,
        run: () => void saveSweep(sweep).then(() => this.refresh(), (error: unknown) => this.#fail(null, error)),
      });
    });
  }

  /** Changes a sweep that nobody runs, neither this tab nor another meanwhile. */
  async #alone(id: string, action: (sweep: SweepRecord) => Promise<void>): Promise<void> {
    this.#error = null;
    let release: (() => Promise<void>) | null = null;
    try {
      release = await lockRun(id);
      this.list = await listSweeps();
      const sweep = this.find(id);
      if (sweep) await action(sweep);
    } catch (error) {
      this.#fail(id, error);
    } finally {
      await release?.();
      await this.refresh();
    }
  }

  async #runAll(id: string): Promise<void> {
    const sweep = this.find(id);
    if (!sweep) return;
    await checkSameData(sweep);
    for (let at = this.#next(id); at !== null && this.find(id)?.state === 'running'; at = this.#next(id)) await this.#inTurn(() => this.#runOne(id, at as number));
    // Pausing during the last run leaves nothing to wait for.
    if (this.#next(id) === null && this.find(id)?.state !== 'stopped') await this.#change(id, { state: 'finished' });
  }

  #next(id: string): number | null {
    const at = this.find(id)?.runs.findIndex(({ state }) => state === 'waiting' || state === 'running') ?? -1;
    return at < 0 ? null : at;
  }

  /** Does so once no other tab trains a run of a sweep; not at all when the sweep is paused or stopped before. */
  async #inTurn(action: () => Promise<void>): Promise<void> {
    this.#waiting = new AbortController();
    const release = await takeTurn(() => (this.queued = true), this.#waiting.signal).finally(() => (this.queued = false));
    if (!release) return;
    try {
      await action();
    } finally {
      await release();
    }
  }

  async #runOne(id: string, at: number): Promise<void> {
    const sweep = this.find(id) as SweepRecord;
    const before = await this.#before(sweep.runs[at].runId);
    // Somebody took the run up alone after the sweep was cut off.
    if (before?.status === 'finished') return this.#mark(id, at, { state: 'done' });
    if (before?.status === 'stopped') return this.#mark(id, at, { state: 'stopped' });
    if (this.#restartFirst) await trainer.restart();
    this.#restartFirst = false;
    await loadForSweep(sweep);
    if (this.find(id)?.state !== 'running') return;
    if (currentRun.active || session.starting) throw new LorikeetError('config', 'Another run was started in this tab.', 'Continue the sweep when that run has ended.');
    const ended = new Promise<End>((resolve) => (this.#onEnd = resolve));
    try {
      if (!(await this.#begin(sweep, at, before))) {
        const reason = session.error ?? model.error ?? dataset.error ?? new LorikeetError('dataset', 'No sample is left to train on with these settings.').toRecord();
        await this.#noteFailure(id, at, reason);
        return;
      }
      await this.#follow(id, at, ended);
    } finally {
      this.#onEnd = null;
    }
  }

  /** A run's state as stored now, if it was begun before and not deleted. */
  async #before(runId: string | null): Promise<RunSummary | undefined> {
    if (runId === null) return undefined;
    await runs.refresh();
    return runs.find(runId);
  }

  /** Resumes a half-trained run where it was saved, or starts it anew. */
  async #begin({ definition, base, runs: planned }: SweepRecord, at: number, before: RunSummary | undefined): Promise<boolean> {
    if (before?.resumable) return session.resume(before);
    settings.adopt(sweepConfig(base, planned[at].settings));
    return session.start(`${definition.name} ${at + 1}: ${settingText(planned[at].settings)}`);
  }

  /** Waits for the end of the present run and marks it. */
  async #follow(id: string, at: number, ended: Promise<End>): Promise<void> {
    const runId = currentRun.run?.id as string;
    await this.#mark(id, at, { state: 'running', runId });
    if (this.find(id)?.state === 'stopped') await currentRun.command('stop');
    await labelRun(runId, { tags: [...(runs.find(runId)?.tags ?? []), this.find(id)?.definition.name ?? ''] });
    const end = await ended;
    await runs.refresh();
    const error = end === null ? trainer.error : end.type === 'failed' ? end.error : null;
    if (error) await this.#noteFailure(id, at, error);
    // The trainer was restarted by hand: the run is half-trained and can be resumed.
    else if (end === null) await this.#pauseIfRunning(id);
    else if (runs.find(runId)?.status === 'stopped') {
      await this.#mark(id, at, { state: 'stopped' });
      // Whoever stops a run wants to look: the rest waits.
      await this.#pauseIfRunning(id);
    } else await this.#mark(id, at, { state: 'done' });
  }

  /** @throws LorikeetError the reason itself where every further run would meet it; the run is then tried again */
  async #noteFailure(id: string, at: number, error: ErrorRecord): Promise<void> {
    this.#restartFirst = NEEDS_RESTART.includes(error.code);
    if (MEETS_EVERY_RUN.includes(error.code)) throw LorikeetError.fromRecord(error);
    await this.#mark(id, at, { state: 'failed', error });
  }

  async #pauseIfRunning(id: string): Promise<void> {
    if (this.find(id)?.state === 'running') await this.#change(id, { state: 'paused' });
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

  #fail(id: string | null, error: unknown): void {
    this.#error = { id, record: LorikeetError.from(error).toRecord() };
  }
}

export const sweeps = new Sweeps();
