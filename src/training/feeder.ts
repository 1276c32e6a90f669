/** Hands the loop its packed micro-batches in order, preparing the next one while the GPU works on the present one. */
import { invariant } from '../protocol/errors.ts';
import type { EncodedSample, PackedBatch } from '../processing/types.ts';
import type { BatchPlan } from './batches.ts';
import { take, type Supply } from './supply.ts';
import type { Pack } from './validation.ts';

/** One optimizer step's share of the data. */
export interface StepData {
  /** Label tokens of each micro-batch. */
  labelTokens: number[];
  tokens: number;
  samples: number;
}

interface Prepared {
  step: number;
  position: number;
  batch: Promise<PackedBatch>;
}

export class BatchFeeder {
  private ahead: Prepared | null = null;

  constructor(
    private readonly plan: BatchPlan,
    private readonly samples: Supply<EncodedSample>,
    private readonly pack: Pack,
  ) {}

  /** Counts of a step, known before any of it is packed. */
  async describe(step: number): Promise<StepData> {
    const micro = await Promise.all(this.plan.microBatches(step).map((indices) => take(this.samples, indices)));
    const samples = micro.flat();
    return {
      labelTokens: micro.map((batch) => batch.reduce((sum, { labelTokens }) => sum + labelTokens, 0)),
      tokens: samples.reduce((sum, { inputIds }) => sum + inputIds.length, 0),
      samples: samples.length,
    };
  }

  /** Micro-batch `position` of a step. */
  async batch(step: number, position: number): Promise<PackedBatch> {
    const prepared = this.ahead?.step === step && this.ahead.position === position ? this.ahead : this.prepare(step, position);
    const batch = await prepared.batch;
    const last = position + 1 >= this.plan.microBatches(step).length;
    if (!last) this.ahead = this.prepare(step, position + 1);
    else this.ahead = step + 1 < this.plan.totalSteps ? this.prepare(step + 1, 0) : null;
    return batch;
  }

  private prepare(step: number, position: number): Prepared {
    const indices = this.plan.microBatches(step)[position];
    invariant(indices, `step ${step} has no micro-batch ${position}`);
    const batch = take(this.samples, indices).then((samples) => this.pack(samples));
    // Whoever takes the batch sees the error; nobody may ever take it when the run is stopped.
    batch.catch(() => undefined);
    return { step, position, batch };
  }
}
