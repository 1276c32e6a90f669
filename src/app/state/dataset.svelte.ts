/** The data that is loaded in the worker. */
import type { TrainingConfig } from '../../protocol/config.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { DatasetSource, DatasetSummary, PathFile, SamplePreview, SplitName } from '../../protocol/messages.ts';
import { DATASET_KEYS, settingsKey } from '../settings/layers.ts';
import { model } from './model.svelte.ts';
import { trainer } from './trainer.svelte.ts';

class DatasetState {
  source = $state.raw<DatasetSource | null>(null);
  summary = $state.raw<DatasetSummary | null>(null);
  loading = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  /** Counts loads, so that views know when a preview is out of date. */
  version = $state(0);
  #loadedWith = '';
  #turn = 0;

  constructor() {
    trainer.onGone(() => this.#forget());
  }

  /** Reads the data; true when there is something to train on. A newer call wins over an older one. */
  async load(source: DatasetSource, config: TrainingConfig): Promise<boolean> {
    const turn = ++this.#turn;
    this.source = source;
    this.error = null;
    this.loading = true;
    try {
      const summary = await trainer.request({ type: 'loadDataset', source, config });
      if (turn !== this.#turn) return false;
      this.summary = summary;
      this.version += 1;
      this.#loadedWith = this.#wanted(config);
      return summary.trainSamples > 0;
    } catch (error) {
      if (turn === this.#turn) {
        this.summary = null;
        this.error = LorikeetError.from(error).toRecord();
      }
      return false;
    } finally {
      if (turn === this.#turn) {
        this.loading = false;
        trainer.endTask('dataset');
      }
    }
  }

  /** Adds, replaces or (with an empty list) removes the validation files of the user's own data. */
  withValidation(files: PathFile[]): DatasetSource | null {
    return this.source?.kind === 'files' ? { ...this.source, validation: files } : null;
  }

  /** True when settings or model have changed so that lengths or splits may differ. */
  isStale(config: TrainingConfig): boolean {
    return this.summary !== null && this.#loadedWith !== this.#wanted(config);
  }

  /** @throws LorikeetError */
  sample(split: SplitName, index: number): Promise<SamplePreview> {
    return trainer.request({ type: 'sample', split, index });
  }

  #wanted(config: TrainingConfig): string {
    const split = config.validation_split > 0 ? config.seed : '';
    return `${settingsKey(config, DATASET_KEYS)} ${split} ${model.summary?.name ?? ''} ${model.summary?.vocabularySize ?? 0}`;
  }

  #forget(): void {
    this.#turn += 1;
    this.summary = null;
    this.loading = false;
  }
}

export const dataset = new DatasetState();
