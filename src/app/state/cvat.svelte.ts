/** Annotations from CVAT that were dropped, and the samples they become; nothing is loaded before the user says so. */
import { CVAT_DEFAULTS, importCvat, type CvatImport, type CvatOptions } from '../../data/cvat.ts';
import { fileKind } from '../../data/paths.ts';
import { LorikeetError, type ErrorRecord } from '../../protocol/errors.ts';
import type { DatasetSource, PathFile } from '../../protocol/messages.ts';

type NumberOption = 'normalSampleRatio' | 'trainRatio' | 'validationRatio' | 'seed';

class Cvat {
  files = $state.raw<readonly PathFile[] | null>(null);
  options = $state<Omit<CvatOptions, NumberOption> & Record<NumberOption, unknown>>({ ...CVAT_DEFAULTS });
  result = $state.raw<CvatImport | null>(null);
  reading = $state(false);
  error = $state.raw<ErrorRecord | null>(null);
  #turn = 0;

  /** Null while something is wrong with them. */
  get wanted(): CvatOptions | null {
    const { normalSampleRatio, trainRatio, validationRatio, seed, prompt, onlyAbnormal } = this.options;
    const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;
    if (!isShare(normalSampleRatio) || !isShare(trainRatio) || !isShare(validationRatio) || trainRatio + validationRatio > 1 + 1e-9) return null;
    if (typeof seed !== 'number' || !Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32 || prompt.trim() === '') return null;
    return { prompt: prompt.trim(), onlyAbnormal, normalSampleRatio, trainRatio, validationRatio, seed };
  }

  async take(files: readonly PathFile[]): Promise<void> {
    this.files = files;
    await this.read();
  }

  /** Converts again, after options have changed. */
  async read(): Promise<void> {
    const { files, wanted } = this;
    if (!files || !wanted) return;
    const turn = ++this.#turn;
    this.reading = true;
    this.error = null;
    try {
      const result = await importCvat(files, wanted);
      if (turn === this.#turn) this.result = result;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.result = null;
      this.error = LorikeetError.from(error).toRecord();
    } finally {
      if (turn === this.#turn) this.reading = false;
    }
  }

  discard(): void {
    this.#turn += 1;
    this.files = null;
    this.result = null;
    this.error = null;
    this.reading = false;
  }

  /** The samples as JSON files; empty parts are left out. */
  get records(): { train: PathFile[]; validation: PathFile[]; test: PathFile[] } {
    const part = (name: string, records: readonly unknown[]): PathFile[] =>
      records.length === 0 ? [] : [{ path: `${name}.json`, file: new Blob([JSON.stringify(records, null, 2)], { type: 'application/json' }) }];
    const { train = [], validation = [], test = [] } = this.result ?? {};
    return { train: part('train', train), validation: part('val', validation), test: part('test', test) };
  }

  /** The dataset as if it had been dropped. The test part is not trained on. */
  get source(): Extract<DatasetSource, { kind: 'files' }> {
    const { train, validation } = this.records;
    const images = (this.files ?? []).filter(({ path }) => fileKind(path) === 'image');
    return { kind: 'files', train: [...train, ...images], validation: validation.length > 0 ? [...validation, ...images] : [] };
  }
}

export const cvat = new Cvat();
