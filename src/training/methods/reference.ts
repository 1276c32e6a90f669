/** Log-probabilities of preference pairs under the reference model, computed once for the whole run where that is wanted. */
import { invariant } from '../../protocol/errors.ts';
import type { PackedBatch } from '../../processing/types.ts';
import { take, type Supply } from '../supply.ts';
import type { TrainableModel } from '../trainable-model.ts';
import type { Pack } from '../validation.ts';
import type { Breathe } from './method.ts';
import { packPairs, sumByPair, type EncodedPair, type PairLogProbs } from './pairs.ts';

/** Keeps the values with the run, so that a resumed run does not compute them again. */
export interface ReferenceStore {
  /** Two numbers a pair, chosen and rejected; null when there are none. */
  read(): Promise<Float64Array | null>;
  write(values: Float64Array): Promise<void>;
}

export class PairReference {
  private known: Float64Array | null = null;

  /**
   * @param precompute false: scored in every step with the step's own batch
   * @param onProgress pairs done, of all
   */
  constructor(
    private readonly model: TrainableModel,
    private readonly pairs: Supply<EncodedPair>,
    private readonly pack: Pack,
    private readonly batchSize: number,
    private readonly precompute: boolean,
    private readonly store: ReferenceStore,
    private readonly onProgress: (done: number, total: number) => void,
  ) {}

  /**
   * Scores all pairs if that is to be done at once. The batches do not depend on the order of training, so that a run
   * resumed in the middle sees the same bits.
   */
  async prepare(breathe: Breathe): Promise<void> {
    if (!this.precompute) return;
    const stored = await this.store.read();
    if (stored?.length === 2 * this.pairs.length) {
      this.known = stored;
      return;
    }
    const values = new Float64Array(2 * this.pairs.length);
    for (let first = 0; first < this.pairs.length; first += this.batchSize) {
      if (!(await breathe())) return;
      this.onProgress(first, this.pairs.length);
      const indices = Array.from({ length: Math.min(this.batchSize, this.pairs.length - first) }, (_, i) => first + i);
      const batch = await packPairs(this.pack, await take(this.pairs, indices));
      (await this.score(batch)).forEach(({ chosen, rejected }, i) => values.set([chosen, rejected], 2 * (first + i)));
    }
    this.onProgress(this.pairs.length, this.pairs.length);
    await this.store.write(values);
    this.known = values;
  }

  /** @param batch the pairs at `indices`, packed */
  async of(indices: readonly number[], batch: PackedBatch): Promise<PairLogProbs[]> {
    const { known } = this;
    if (!this.precompute) return this.score(batch);
    invariant(known, 'reference log-probabilities are computed before the first step');
    return indices.map((i) => ({ chosen: known[2 * i], rejected: known[2 * i + 1] }));
  }

  private async score(batch: PackedBatch): Promise<PairLogProbs[]> {
    return sumByPair(batch, (await this.model.scoreTokens(batch, { model: 'reference', temperature: 1 })).logProbs);
  }
}
