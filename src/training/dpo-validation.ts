/** Validation of DPO: loss, accuracy and reward margin on a fixed choice of pairs. Reads the model, never changes it. */
import { dpoLoss } from '../objectives/dpo.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import type { BestCheckpoint, ValRow } from '../protocol/log.ts';
import { batchesByLength, checkBestMetric, judgeRow, requireFinite } from './evaluation.ts';
import type { Continue, Evaluation, ValidationPlace, ValidationResult } from './evaluation.ts';
import { dpoSettings } from './methods/dpo.ts';
import { DpoFigures } from './methods/dpo-figures.ts';
import { lossInputs, packPairs, sumByPair, totalsOf, type EncodedPair, type PairLogProbs } from './methods/pairs.ts';
import type { TrainableModel } from './trainable-model.ts';
import type { Pack } from './validation.ts';

const MEASURED = ['val_loss', 'val_accuracy', 'val_reward_margin', 'eval_loss'];
const TRL_KEYS = ['rewards/chosen', 'rewards/rejected', 'rewards/accuracies', 'rewards/margins', 'logps/chosen', 'logps/rejected', 'logps/accuracies'];

/** A validation pair and its position in the split. */
export interface ValidationPair {
  index: number;
  pair: EncodedPair;
}

export class DpoValidator implements Evaluation {
  /** The reference does not change: scored once per worker, in the batches of the first validation, which are those of all. */
  private reference: PairLogProbs[] | null = null;

  /** @throws LorikeetError "config" when the metric that chooses the best adapter is not measured */
  constructor(
    private readonly config: TrainingConfig,
    private readonly chosen: readonly ValidationPair[],
    private readonly pack: Pack,
  ) {
    checkBestMetric(config, [...MEASURED, ...TRL_KEYS.map((key) => `eval_${key}`)], 'Choose one of these.');
  }

  get sampleCount(): number {
    return this.chosen.length;
  }

  async run(model: TrainableModel, at: ValidationPlace, goOn: Continue, clock: () => number): Promise<ValidationResult | null> {
    const started = clock();
    const { chosen, config } = this;
    const lengths = chosen.map(({ pair }) => pair.chosen.inputIds.length + pair.rejected.inputIds.length);
    const normalizer = totalsOf(chosen.map(({ pair }) => pair));
    const reference = this.reference ?? chosen.map(() => ({ chosen: 0, rejected: 0 }));
    const figures = new DpoFigures();
    const lines: string[] = new Array<string>(chosen.length);
    let done = 0;
    for (const positions of batchesByLength(lengths, Math.max(1, Math.floor(config.eval_batch_size / 2)))) {
      const pairs = positions.map((i) => chosen[i].pair);
      const batch = await packPairs(this.pack, pairs);
      if (!this.reference) {
        const scores = await model.scoreTokens(batch, { model: 'reference', temperature: 1 });
        sumByPair(batch, scores.logProbs).forEach((sums, i) => (reference[positions[i]] = sums));
      }
      const scores = await model.scoreTokens(batch, { model: 'policy', temperature: 1 });
      const policy = sumByPair(batch, scores.logProbs);
      const result = dpoLoss(lossInputs(pairs, policy, positions.map((i) => reference[i])), dpoSettings(config), normalizer);
      figures.add(result, policy, batch, scores);
      positions.forEach((position, i) => {
        const { index, pair } = chosen[position];
        lines[position] = `${JSON.stringify({ step: at.step, index, id: pair.id, logps_chosen: policy[i].chosen, logps_rejected: policy[i].rejected, ...result.perPair[i] })}\n`;
      });
      done += positions.length;
      if (!(await goOn(done, chosen.length, 'loss'))) return null;
    }
    this.reference = reference;
    const { loss, metrics } = figures.result();
    requireFinite('validation loss', loss, at.step);
    const row: ValRow = {
      step: at.step,
      epoch: at.epoch,
      val_loss: loss,
      val_accuracy: metrics.accuracy,
      val_reward_margin: metrics.margin,
      eval_loss: loss,
      ...Object.fromEntries(TRL_KEYS.map((key) => [`eval_${key}`, metrics[key]])),
      eval_runtime: (clock() - started) / 1000,
      eval_samples: chosen.length,
      time: new Date().toISOString(),
    };
    return { row, answers: [], predictions: lines.join('') };
  }

  judge(row: ValRow, best: BestCheckpoint | null): BestCheckpoint | null {
    return judgeRow(this.config, row, best);
  }
}
