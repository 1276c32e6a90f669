/** The model that is loaded in the worker. */
import { ADVISED_QUANTIZATION, type TrainingConfig } from '../../protocol/config.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { ModelSource, ModelSummary } from '../../protocol/messages.ts';
import { MODEL_KEYS, settingsKey } from '../settings/layers.ts';
import { language } from '../texts/language.svelte.ts';
import { settings } from './settings.svelte.ts';
import { trainer } from './trainer.svelte.ts';

class ModelState {
  source = $state.raw<ModelSource | null>(null);
  summary = $state.raw<ModelSummary | null>(null);
  loading = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  #loadedWith = '';
  #turn = 0;

  constructor() {
    trainer.onGone(() => this.#forget());
    trainer.subscribe((event) => {
      if (event.type === 'kept' && this.summary) this.summary = { ...this.summary, keptWeights: event.kept };
    });
  }

  /** The name people read; the worker calls the built-in model just "demo". */
  get displayName(): string {
    if (this.source?.kind === 'demo') return language.t.model.demoName;
    return this.summary?.name ?? '';
  }

  /** Loads a model; true when it is ready. A newer call wins over an older one. */
  async load(source: ModelSource, config: TrainingConfig): Promise<boolean> {
    const turn = ++this.#turn;
    this.source = source;
    this.summary = null;
    this.error = null;
    this.loading = true;
    try {
      // Settings of an earlier run may be others than those on the page: they are taken as they stand.
      const own = settings.config;
      const advised = source.kind !== 'packed' && !settings.ownQuantization && config.load_in_4bit === own?.load_in_4bit && config.load_in_8bit === own.load_in_8bit;
      const summary = await trainer.request({ type: 'loadModel', source, config, advised });
      if (turn !== this.#turn) return false;
      this.summary = summary;
      settings.advice = summary.quantizationAdvice;
      this.#loadedWith = settingsKey(advised ? { ...config, ...ADVISED_QUANTIZATION[summary.quantizationAdvice] } : config, MODEL_KEYS);
      return true;
    } catch (error) {
      if (turn === this.#turn) this.error = LorikeetError.from(error).toRecord();
      return false;
    } finally {
      if (turn === this.#turn) {
        this.loading = false;
        trainer.endTask('model');
      }
    }
  }

  /** True when the settings ask for other weights than those on the GPU. */
  isStale(config: TrainingConfig): boolean {
    return this.summary !== null && this.#loadedWith !== settingsKey(config, MODEL_KEYS);
  }

  /** The worker is gone and the weights with it; the source stays known so that it can be loaded again. */
  #forget(): void {
    this.#turn += 1;
    this.summary = null;
    this.loading = false;
  }
}

export const model = new ModelState();
