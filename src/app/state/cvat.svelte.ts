/** Annotations from CVAT that were dropped, and the samples they become; nothing is loaded before the user says so. */
import { CVAT_DEFAULTS, type CvatOptions } from '../../data/cvat.ts';
import { mayHoldCvat } from '../../data/cvat-drop.ts';
import type { CvatConversion, CvatOpening, CvatParts } from '../../data/cvat-parts.ts';
import { fileKind } from '../../data/paths.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { DatasetSource, PathFile } from '../../protocol/messages.ts';
import { askWorker } from '../ask-worker.ts';

type NumberOption = 'normalSampleRatio' | 'trainRatio' | 'validationRatio' | 'seed';

const WORDS = { what: 'Reading the annotations', advice: 'Close other pages and drop the files again.' };
const openWorker = () => new Worker(new URL('../../../workers/cvat.worker.ts', import.meta.url), { type: 'module', name: 'cvat' });

class Cvat {
  files = $state.raw<readonly PathFile[] | null>(null);
  options = $state<Omit<CvatOptions, NumberOption> & Record<NumberOption, unknown>>({ ...CVAT_DEFAULTS });
  result = $state.raw<CvatParts | null>(null);
  reading = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  #worker: Worker | null = null;

  /** Null while something is wrong with them. */
  get wanted(): CvatOptions | null {
    const { normalSampleRatio, trainRatio, validationRatio, seed, prompt, onlyAbnormal } = this.options;
    const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;
    if (!isShare(normalSampleRatio) || !isShare(trainRatio) || !isShare(validationRatio) || trainRatio + validationRatio > 1 + 1e-9) return null;
    if (typeof seed !== 'number' || !Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32 || prompt.trim() === '') return null;
    return { prompt: prompt.trim(), onlyAbnormal, normalSampleRatio, trainRatio, validationRatio, seed };
  }

  /**
   * Takes a drop that holds annotations and no records of its own, and reads it.
   * @returns false for every other drop
   */
  async take(files: readonly PathFile[]): Promise<boolean> {
    const opened = mayHoldCvat(files) ? await askWorker<CvatOpening, PathFile[] | null>(openWorker(), { kind: 'open', files }, WORDS) : null;
    if (!opened) return false;
    this.files = opened;
    void this.read();
    return true;
  }

  /** Converts again, after options have changed. */
  async read(): Promise<void> {
    const { files, wanted } = this;
    if (!files || !wanted) return;
    // What is still being read was of other options: its worker is ended, and never answers.
    this.#worker?.terminate();
    const worker = (this.#worker = openWorker());
    this.reading = true;
    this.error = null;
    try {
      const result = await askWorker<CvatConversion, CvatParts>(worker, { kind: 'convert', files, options: wanted, boxes: 'exact' }, WORDS);
      if (worker === this.#worker) this.result = result;
    } catch (error) {
      if (worker !== this.#worker) return;
      this.result = null;
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      if (worker === this.#worker) this.#end();
    }
  }

  discard(): void {
    this.#end();
    this.files = null;
    this.result = null;
    this.error = null;
  }

  /** The samples as JSON files to take along, boxes in whole thousandths. */
  async filesToKeep(): Promise<PathFile[]> {
    const { files, wanted } = this;
    if (!files || !wanted) return [];
    const kept = await askWorker<CvatConversion, CvatParts>(openWorker(), { kind: 'convert', files, options: wanted, boxes: 'whole' }, WORDS);
    return kept ? [...kept.train, ...kept.validation, ...kept.test] : [];
  }

  /** The dataset as if it had been dropped, boxes in the unit of whatever model is open. The test part is not trained on. */
  get source(): Extract<DatasetSource, { kind: 'files' }> {
    const { train = [], validation = [] } = this.result ?? {};
    const images = (this.files ?? []).filter(({ path }) => fileKind(path) === 'image');
    return { kind: 'files', train: [...train, ...images], validation: validation.length > 0 ? [...validation, ...images] : [], choices: { thousandthFiles: [...train, ...validation].map(({ path }) => path) } };
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.reading = false;
  }
}

export const cvat = new Cvat();
