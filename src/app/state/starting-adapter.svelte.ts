/** The adapter that the next run starts from: read and checked by the worker, its shape taken over into the settings. */
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { AdapterSource, AdapterSummary } from '../../protocol/messages.ts';
import { model } from './model.svelte.ts';
import { settings } from './settings.svelte.ts';
import { trainer } from './trainer.svelte.ts';

/** A run that starts from an adapter must have these as the adapter has them. */
export const ADAPTER_SHAPE = ['r', 'lora_alpha', 'use_rslora', 'rank_pattern', 'alpha_pattern', 'target_modules'] as const;

class StartingAdapter {
  source = $state.raw<AdapterSource | null>(null);
  summary = $state.raw<AdapterSummary | null>(null);
  reading = $state(false);
  /** Why it cannot be used. */
  error = $state.raw<ErrorRecord | null>(null);
  #turn = 0;

  /** Settings that have been changed since they were taken over. */
  get differing(): readonly (typeof ADAPTER_SHAPE)[number][] {
    const { summary } = this;
    if (!summary) return [];
    return ADAPTER_SHAPE.filter((key) => JSON.stringify(settings.layered.values[key]) !== JSON.stringify(summary[key]));
  }

  /** Chooses an adapter, or none; its shape goes into the settings as soon as it has been read. */
  async choose(source: AdapterSource | null): Promise<void> {
    this.source = source;
    await this.inspect({ takeOver: true });
  }

  /** Reads the chosen adapter against the loaded model; waits for a model where there is none. */
  async inspect({ takeOver = false } = {}): Promise<void> {
    const turn = ++this.#turn;
    const { source } = this;
    this.error = null;
    this.summary = null;
    this.reading = false;
    if (source === null || model.summary === null) return;
    this.reading = true;
    try {
      const summary = await trainer.request({ type: 'inspectAdapter', source });
      if (turn !== this.#turn) return;
      this.summary = summary;
      if (takeOver || !this.#tookOver.has(source)) this.takeOver();
    } catch (error) {
      if (turn === this.#turn) this.error = LorikeetError.from(error).toRecord();
    } finally {
      if (turn === this.#turn) this.reading = false;
    }
  }

  /** Puts the adapter's shape into the settings, where it shows as changes. */
  takeOver(): void {
    if (!this.summary || !this.source) return;
    for (const key of ADAPTER_SHAPE) settings.set(key, this.summary[key]);
    this.#tookOver.add(this.source);
  }

  /** Choices whose shape the settings have had: a later look at them leaves the user's changes alone. */
  readonly #tookOver = new WeakSet<AdapterSource>();
}

export const startingAdapter = new StartingAdapter();
