/** Memory and time of the run that the present settings would make. */
import type { TrainingConfig } from '../../protocol/config.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { RunPlan } from '../../protocol/messages.ts';
import { settings } from './settings.svelte.ts';
import { trainer } from './trainer.svelte.ts';

class PlanState {
  plan = $state.raw<RunPlan | null>(null);
  pending = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  #turn = 0;

  /** Asks the worker anew; the newest question wins. */
  async refresh(config: TrainingConfig): Promise<void> {
    const turn = ++this.#turn;
    this.pending = true;
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
  }
}

export const plan = new PlanState();
