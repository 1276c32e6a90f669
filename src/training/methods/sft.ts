/** Supervised fine-tuning: mean −log p of the answers' tokens. */
import type { TrainingConfig } from '../../protocol/config.ts';
import { invariant } from '../../protocol/errors.ts';
import type { EncodedSample } from '../../processing/types.ts';
import { BatchPlan, type EpochOrder } from '../batches.ts';
import { BatchFeeder } from '../feeder.ts';
import type { Supply } from '../supply.ts';
import type { PendingScalar, TrainableModel } from '../trainable-model.ts';
import type { Pack } from '../validation.ts';
import type { Breathe, StepWork, TrainingMethod } from './method.ts';

export class SftMethod implements TrainingMethod {
  readonly plan: BatchPlan;
  private readonly feeder: BatchFeeder;

  constructor(
    private readonly config: TrainingConfig,
    private readonly model: TrainableModel,
    samples: Supply<EncodedSample>,
    order: EpochOrder,
    pack: Pack,
  ) {
    this.plan = new BatchPlan(config, samples.length, order);
    this.feeder = new BatchFeeder(this.plan, samples, pack);
  }

  get totalSteps(): number {
    return this.plan.totalSteps;
  }

  epochAfter(step: number): number {
    return this.plan.epochAfter(step);
  }

  async accumulate(step: number, breathe: Breathe): Promise<StepWork | null> {
    const { model } = this;
    const tokenWeighted = this.config.loss_reduction === 'token_weighted';
    const { labelTokens, tokens, samples } = await this.feeder.describe(step);
    const stepTokens = labelTokens.reduce((sum, count) => sum + count, 0);
    const losses: PendingScalar[] = [];
    for (const [position, microTokens] of labelTokens.entries()) {
      if (!(await breathe())) return null;
      const batch = await this.feeder.batch(step, position);
      invariant(batch.targetIds.length === microTokens && microTokens > 0, `micro-batch has ${batch.targetIds.length} targets, expected ${microTokens}`);
      const weight = tokenWeighted ? 1 / stepTokens : 1 / (microTokens * labelTokens.length);
      losses.push(await model.forwardBackward(batch, new Float32Array(microTokens).fill(weight), this.plan.dropoutStep(step, position)));
    }
    return {
      tokens,
      samples,
      weight: tokenWeighted ? stepTokens : 1,
      async read() {
        const parts = await Promise.all(losses.map((pending) => pending.read()));
        return { loss: parts.reduce((sum, part) => sum + part, 0), metrics: {} };
      },
    };
  }
}
