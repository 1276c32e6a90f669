/** What the device was found to be fastest with, as the worker tells it. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { TuningState } from '../../protocol/tuning.ts';
import { trainer } from './trainer.svelte.ts';

class Tuning {
  /** Null until the worker has said something. */
  state = $state.raw<TuningState | null>(null);
  /** Why the last request was refused. */
  error = $state.raw<ErrorRecord | null>(null);
  /** True from the click until the worker begins. */
  asking = $state(false);

  constructor() {
    trainer.subscribe((event) => {
      if (event.type === 'tuning') this.state = event.state;
    });
    trainer.onGone(() => (this.state = null));
  }

  /** Forgets what was found and begins anew. */
  async again(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    this.error = null;
    try {
      await trainer.request({ type: 'tune' });
    } catch (error) {
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      this.asking = false;
    }
  }
}

export const tuning = new Tuning();
