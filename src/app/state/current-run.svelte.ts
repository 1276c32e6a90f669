/** The run of this tab: hears the worker's news and hands them to the page at most once per frame. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { TrainRow, ValRow } from '../../protocol/log.ts';
import type { AnswerPreview, TrainerEvent } from '../../protocol/messages.ts';
import type { RunRecord } from './run-record.svelte.ts';
import { trainer } from './trainer.svelte.ts';

/** Beyond this, curves are redrawn twice a second instead of at every frame. */
const MANY_ROWS = 20_000;

type RunEvent = Extract<TrainerEvent, { runId: string | null }>;

class CurrentRun {
  run = $state.raw<RunRecord | null>(null);
  /** The button that waits for the worker. */
  pending = $state<'pause' | 'continue' | 'saveNow' | 'stop' | null>(null);
  /** Why the last of these was refused. */
  commandError = $state.raw<ErrorRecord | null>(null);
  #queue: RunEvent[] = [];
  #scheduled = false;

  constructor() {
    trainer.subscribe((event) => {
      if (!('runId' in event)) return;
      this.#queue.push(event);
      // What follows a run must find it ended here, also in a hidden tab.
      if (event.type === 'finished' || event.type === 'failed') this.#flush();
      else this.#schedule();
    });
    trainer.onGone((error) => this.#lose(error));
  }

  get active(): boolean {
    return this.run?.active ?? false;
  }

  /** True while closing the tab would lose trained steps. */
  get unsaved(): boolean {
    return this.run !== null && this.run.active && this.run.step > this.run.savedStep;
  }

  /** Shows a new run from now on. */
  show(run: RunRecord | null): void {
    this.run = run;
    this.pending = null;
    this.commandError = null;
  }

  /** Sends one of the run's commands; what goes wrong is in `commandError`. */
  async command(type: 'pause' | 'continue' | 'saveNow' | 'stop'): Promise<void> {
    this.pending = type;
    this.commandError = null;
    try {
      await trainer.request({ type });
    } catch (error) {
      this.commandError = LorikeetError.from(error).toRecord();
    } finally {
      if (this.pending === type) this.pending = null;
    }
  }

  /** Marks the run as failed before the worker could say so itself. */
  fail(error: ErrorRecord): void {
    if (!this.run) return;
    this.run.error = error;
    this.run.status = 'failed';
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const flush = () => {
      this.#scheduled = false;
      this.#flush();
    };
    // Hidden tabs get no animation frames, but the title should still move. Very long curves take a while to draw.
    if (document.hidden || (this.run?.trainRows.length ?? 0) > MANY_ROWS) setTimeout(flush, 500);
    else requestAnimationFrame(flush);
  }

  #flush(): void {
    const events = this.#queue;
    this.#queue = [];
    const run = this.run;
    if (!run) return;
    const train: TrainRow[] = [];
    const val: ValRow[] = [];
    for (const event of events) {
      if (event.runId === null ? !run.active : event.runId !== run.id) continue;
      if (event.type === 'train') train.push(event.row);
      else if (event.type === 'validation') {
        val.push(event.row);
        run.answers = keepImages(run.answers, event.answers);
        run.best = event.best;
      } else this.#apply(run, event);
    }
    run.append(train, val);
  }

  #apply(run: RunRecord, event: Exclude<RunEvent, { type: 'train' | 'validation' }>): void {
    switch (event.type) {
      case 'status':
        run.status = event.status;
        run.step = event.step;
        run.totalSteps = event.totalSteps;
        run.secondsLeft = event.secondsLeft;
        if (event.status !== 'preparing') trainer.endTask('prepare');
        if (event.status !== 'validating') trainer.endTask('validation');
        break;
      case 'saved':
        run.savedAt = Date.parse(event.at);
        run.savedStep = event.step;
        run.resumable = true;
        break;
      case 'notice':
        run.notices = [...run.notices, event.notice];
        break;
      case 'completions':
        run.takeCompletions(event.step, event.groups);
        break;
      case 'finished':
        run.fill(event.log);
        if (run.active) run.status = run.step >= run.totalSteps ? 'finished' : 'stopped';
        break;
      case 'failed':
        run.error = event.error;
        run.status = 'failed';
        break;
    }
  }

  #lose(error: ErrorRecord | null): void {
    this.#flush();
    this.pending = null;
    if (!this.run?.active) return;
    if (error) this.fail(error);
    else this.run.status = 'interrupted';
  }
}

/** Takes pictures over from the last validation where they are the same, so that they need not load again. */
function keepImages(before: readonly AnswerPreview[], after: readonly AnswerPreview[]): AnswerPreview[] {
  const known = new Map(before.map((answer) => [answer.id, answer.image]));
  return after.map((answer) => {
    const old = known.get(answer.id);
    return old && answer.image && old.size === answer.image.size ? { ...answer, image: old } : answer;
  });
}

export const currentRun = new CurrentRun();
