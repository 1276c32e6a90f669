/** The data that is loaded in the worker. */
import type { TrainingConfig } from '../../protocol/config.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { DatasetSource, DatasetSummary, PathFile, SamplePreview, SplitName } from '../../protocol/messages.ts';
import type { ReadingChoices } from '../../protocol/reading-choices.ts';
import { DATASET_KEYS, settingsKey } from '../settings/layers.ts';
import { rememberedMappings } from './column-memory.ts';
import { model } from './model.svelte.ts';
import { trainer } from './trainer.svelte.ts';

class DatasetState {
  source = $state.raw<DatasetSource | null>(null);
  summary = $state.raw<DatasetSummary | null>(null);
  loading = $state(false);
  /** Samples can be looked at already, but not all have been seen by the model. */
  checking = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  /** Counts loads, so that views know when a preview is out of date. */
  version = $state(0);
  #loadedWith = '';
  #turn = 0;

  constructor() {
    trainer.onGone(() => this.#forget());
  }

  /** Reads the data, or of very much the beginning; true when there is something to train on. A newer call wins over an older one. */
  async load(source: DatasetSource, config: TrainingConfig): Promise<boolean> {
    const turn = ++this.#turn;
    this.source = source;
    this.error = null;
    this.loading = true;
    this.checking = false;
    try {
      const summary = await trainer.request({ type: 'loadDataset', source, config });
      if (turn !== this.#turn) return false;
      const mapped = source.kind === 'files' ? source.choices?.mappings : undefined;
      const known = rememberedMappings(summary.unknown.filter(({ file }) => !mapped || !Object.hasOwn(mapped, file)));
      if (known && source.kind === 'files') return await this.load(withChoices(source, { mappings: { ...mapped, ...known } }), config);
      this.#take(summary);
      this.#loadedWith = this.#wanted(config);
      if (summary.unchecked) void this.#check(turn, config);
      return summary.trainSamples > 0;
    } catch (error) {
      this.#fail(turn, error);
      return false;
    } finally {
      if (turn === this.#turn) {
        this.loading = false;
        if (!this.checking) trainer.endTask('dataset');
      }
    }
  }

  /** What is left of loading goes on while samples are looked at and trained on. */
  async #check(turn: number, config: TrainingConfig): Promise<void> {
    this.checking = true;
    try {
      let summary: DatasetSummary;
      do {
        summary = await trainer.request({ type: 'checkDataset', config });
        if (turn !== this.#turn) return;
        this.#take(summary);
      } while (summary.unchecked);
    } catch (error) {
      this.#fail(turn, error);
    } finally {
      if (turn === this.#turn) {
        this.checking = false;
        trainer.endTask('dataset');
      }
    }
  }

  #fail(turn: number, error: unknown): void {
    if (turn !== this.#turn) return;
    this.summary = null;
    this.error = LorikeetError.from(error).toRecord();
  }

  /** Whether the files have to be asked about before they can be trained on as they are meant. */
  get asks(): boolean {
    return this.summary !== null && this.summary.unknown.length + this.summary.boxQuestions.length > 0;
  }

  /** Reads the user's own files again, some of what was decided about them being other. */
  async decide(changes: ReadingChoices, config: TrainingConfig): Promise<void> {
    if (this.source?.kind === 'files') await this.load(withChoices(this.source, changes), config);
  }

  /** Adds, replaces or (with an empty list) removes the validation files of the user's own data. */
  withValidation(files: PathFile[]): DatasetSource | null {
    return this.source?.kind === 'files' ? { ...this.source, validation: files } : null;
  }

  /** Files of records or archives that changed or vanished on disk since they were chosen; a fault of a single sample is none of them. */
  get changedFiles(): readonly string[] {
    if (this.source?.kind !== 'files') return [];
    const told = (this.summary?.problems ?? []).filter(({ code, sample, field }) => code === 'file-missing' && sample === undefined && field === undefined).map(({ file }) => file);
    const paths = [...this.source.train, ...this.source.validation].map(({ path }) => path);
    return [...new Set([...told, ...(this.error?.code === 'file-missing' ? [this.error.place.file] : [])].filter((file) => file !== undefined && paths.includes(file)))] as string[];
  }

  /** The same data with one file in the place of that path; null where there is no such path. */
  withFile(path: string, file: File): DatasetSource | null {
    if (this.source?.kind !== 'files') return null;
    const put = (files: readonly PathFile[]) => files.map((entry) => (entry.path === path ? { path, file } : entry));
    return { ...this.source, train: put(this.source.train), validation: put(this.source.validation) };
  }

  /** True when settings or model have changed so that lengths or splits may differ. */
  isStale(config: TrainingConfig): boolean {
    return this.summary !== null && this.#loadedWith !== this.#wanted(config);
  }

  /** @throws LorikeetError */
  sample(split: SplitName, index: number): Promise<SamplePreview> {
    return trainer.request({ type: 'sample', split, index });
  }

  #take(summary: DatasetSummary): void {
    this.summary = summary;
    this.version += 1;
  }

  #wanted(config: TrainingConfig): string {
    const split = config.validation_split > 0 ? config.seed : '';
    return `${settingsKey(config, DATASET_KEYS)} ${split} ${model.summary?.name ?? ''} ${model.summary?.vocabularySize ?? 0}`;
  }

  #forget(): void {
    this.#turn += 1;
    this.summary = null;
    this.loading = false;
    this.checking = false;
  }
}

function withChoices(source: Extract<DatasetSource, { kind: 'files' }>, changes: ReadingChoices): DatasetSource {
  return { ...source, choices: { ...source.choices, ...changes } };
}

export const dataset = new DatasetState();
