/** Memory and time of the run that the present settings would make. */
import type { TrainingConfig } from '../../protocol/config.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { RunPlan, TrialOutcome } from '../../protocol/messages.ts';
import { settings } from './settings.svelte.ts';
import { trainer } from './trainer.svelte.ts';

class PlanState {
  plan = $state.raw<RunPlan | null>(null);
  pending = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  /** Set after the largest samples were tried with these settings and did not fit. */
  tooHeavy = $state.raw<Extract<TrialOutcome, { fits: false }> | null>(null);
  #turn = 0;
  /** The settings that were asked about last, and those that did not fit. */
  #asked = '';
  #refused = '';

  constructor() {
    trainer.subscribe((event) => {
      if (event.type !== 'tried') return;
      this.#turn += 1;
      this.pending = false;
      if (event.outcome.fits) this.plan = event.outcome.plan;
      this.tooHeavy = event.outcome.fits ? null : event.outcome;
      this.#refused = this.#asked;
    });
  }

  /** Asks the worker anew; the newest question wins. */
  async refresh(config: TrainingConfig): Promise<void> {
    const turn = ++this.#turn;
    this.pending = true;
    this.#asked = JSON.stringify(config);
    if (this.#asked !== this.#refused) this.tooHeavy = null;
    try {
      const plan = await trainer.request({ type: 'plan', config, auto: settings.autoIn(config) });
      if (turn !== this.#turn) return;
      this.plan = plan;
      this.error = null;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.plan = null;
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      if (turn === this.#turn) this.pending = false;
    }
  }

  clear(): void {
    this.#turn += 1;
    this.plan = null;
    this.pending = false;
    this.error = null;
    this.tooHeavy = null;
  }
}

export const plan = new PlanState();
