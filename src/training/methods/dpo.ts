/** Direct preference optimisation: pairs of answers to one prompt, compared with a frozen reference. Dropout is off. */
import { dpoLoss, type DpoSettings } from '../../objectives/dpo.ts';
import type { TrainingConfig } from '../../protocol/config.ts';
import { BatchPlan, type EpochOrder } from '../batches.ts';
import { take, type Supply } from '../supply.ts';
import type { TrainableModel } from '../trainable-model.ts';
import type { Pack } from '../validation.ts';
import { DpoFigures } from './dpo-figures.ts';
import type { Breathe, StepWork, TrainingMethod } from './method.ts';
import { lossInputs, packPairs, sumByPair, totalsOf, type EncodedPair } from './pairs.ts';
import type { PairReference } from './reference.ts';

/** The loss's settings under their names in objectives/. */
export function dpoSettings(config: TrainingConfig): DpoSettings {
  const lossTypes = [config.loss_type].flat() as DpoSettings['lossTypes'];
  return { beta: config.beta, lossTypes, lossWeights: config.loss_weights ?? lossTypes.map(() => 1), labelSmoothing: config.label_smoothing };
}

export class DpoMethod implements TrainingMethod {
  private readonly plan: BatchPlan;
  private readonly settings: DpoSettings;

  constructor(
    config: TrainingConfig,
    private readonly model: TrainableModel,
    private readonly pairs: Supply<EncodedPair>,
    order: EpochOrder,
    private readonly pack: Pack,
    private readonly reference: PairReference,
  ) {
    this.plan = new BatchPlan(config, pairs.length, order);
    this.settings = dpoSettings(config);
  }

  get totalSteps(): number {
    return this.plan.totalSteps;
  }

  epochAfter(step: number): number {
    return this.plan.epochAfter(step);
  }

  prepare(breathe: Breathe): Promise<void> {
    return this.reference.prepare(breathe);
  }

  async accumulate(step: number, breathe: Breathe): Promise<StepWork | null> {
    const micro = this.plan.microBatches(step);
    const all = await take(this.pairs, micro.flat());
    const normalizer = totalsOf(all);
    const figures = new DpoFigures();
    for (const indices of micro) {
      if (!(await breathe())) return null;
      const pairs = await take(this.pairs, indices);
      const batch = await packPairs(this.pack, pairs);
      const reference = await this.reference.of(indices, batch);
      await this.model.forwardBackwardOf(
        batch,
        (scores) => {
          const policy = sumByPair(batch, scores.logProbs);
          const result = dpoLoss(lossInputs(pairs, policy, reference), this.settings, normalizer);
          figures.add(result, policy, batch, scores);
          const slope = [...result.dChosen, ...result.dRejected];
          return Float32Array.from(batch.targetSample, (sample) => slope[sample]);
        },
        { temperature: 1, dropoutStep: null },
      );
    }
    const tokens = all.reduce((sum, { chosen, rejected }) => sum + chosen.inputIds.length + rejected.inputIds.length, 0);
    const { loss, metrics } = figures.result();
    const { accuracy, margin, ...logged } = metrics;
    return {
      tokens,
      samples: all.length,
      weight: 1,
      read: () => Promise.resolve({ loss, metrics: { accuracy, reward_margin: margin, ...logged } }),
    };
  }
}
