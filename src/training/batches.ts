/** Which samples make which step: a pure function of (configuration, sample count, seed, step), so a resumed run needs no stored cursor. */
import type { TrainingConfig } from '../protocol/config.ts';
import { invariant } from '../protocol/errors.ts';

type BatchConfig = Pick<
  TrainingConfig,
  'per_device_train_batch_size' | 'gradient_accumulation_steps' | 'num_train_epochs' | 'max_steps' | 'seed'
>;

/** Order of the samples in one epoch. */
export type EpochOrder = (epoch: number) => ArrayLike<number>;

/** One optimizer step's micro-batches, as transformers.Trainer lays them out (last short batch kept, remainder stepped at epoch end). */
export class BatchPlan {
  readonly microBatchesPerEpoch: number;
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  private cached: { epoch: number; order: ArrayLike<number> } | null = null;

  /** @param sampleCount training samples, at least 1 */
  constructor(
    private readonly config: BatchConfig,
    private readonly sampleCount: number,
    private readonly orderOf: EpochOrder,
  ) {
    invariant(sampleCount > 0, 'a run needs at least one training sample');
    this.microBatchesPerEpoch = Math.ceil(sampleCount / config.per_device_train_batch_size);
    this.stepsPerEpoch = Math.ceil(this.microBatchesPerEpoch / config.gradient_accumulation_steps);
    this.totalSteps = config.max_steps > 0 ? config.max_steps : Math.ceil(config.num_train_epochs * this.stepsPerEpoch);
  }

  /** Sample indices of each micro-batch of the step after `step` finished ones. */
  microBatches(step: number): number[][] {
    const { per_device_train_batch_size: size, gradient_accumulation_steps: accumulation } = this.config;
    const order = this.order(Math.floor(step / this.stepsPerEpoch));
    const first = (step % this.stepsPerEpoch) * accumulation;
    const last = Math.min(first + accumulation, this.microBatchesPerEpoch);
    const batches: number[][] = [];
    for (let micro = first; micro < last; micro++) {
      batches.push(Array.from({ length: Math.min(size, this.sampleCount - micro * size) }, (_, i) => order[micro * size + i]));
    }
    return batches;
  }

  /** Number of a micro-batch counted from the start of the run. */
  microBatchIndex(step: number, position: number): number {
    const epoch = Math.floor(step / this.stepsPerEpoch);
    return epoch * this.microBatchesPerEpoch + (step % this.stepsPerEpoch) * this.config.gradient_accumulation_steps + position;
  }

  /** Epochs done after `step` steps, fractional, counted in micro-batches. */
  epochAfter(step: number): number {
    const epochs = Math.floor(step / this.stepsPerEpoch);
    const micro = Math.min((step % this.stepsPerEpoch) * this.config.gradient_accumulation_steps, this.microBatchesPerEpoch);
    return epochs + micro / this.microBatchesPerEpoch;
  }

  /** Counter for the dropout masks of one micro-batch: differs within a run, and between seeds. */
  dropoutStep(step: number, position: number): number {
    return (this.microBatchIndex(step, position) + Math.imul(this.config.seed, 0x9e3779b1)) >>> 0;
  }

  private order(epoch: number): ArrayLike<number> {
    if (this.cached?.epoch !== epoch) this.cached = { epoch, order: this.orderOf(epoch) };
    invariant(this.cached.order.length === this.sampleCount, 'an epoch visits every sample once');
    return this.cached.order;
  }
}
