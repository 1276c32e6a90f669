/** Which prompts make which rollout, and which rollout an optimizer step learns from. A pure function of settings, data and seed. */
import type { TrainingConfig } from '../../protocol/config.ts';
import { BatchPlan, type EpochOrder } from '../batches.ts';

type PlanConfig = Pick<
  TrainingConfig,
  'method' | 'per_device_train_batch_size' | 'gradient_accumulation_steps' | 'num_generations' | 'num_iterations' | 'num_train_epochs' | 'max_steps' | 'seed'
>;

/** Whether a method learns from answers that it samples itself. */
export const samplesAnswers = ({ method }: Pick<TrainingConfig, 'method'>): boolean => method === 'grpo' || method === 'grpo-trl';

/**
 * Prompts of one rollout, and completions of one micro-batch. "grpo" counts prompts in its batch size, as the original
 * does; "grpo-trl" counts completions, as TRL does.
 */
export function rolloutShape(config: Omit<PlanConfig, 'seed'>): { prompts: number; rows: number } {
  const { method, per_device_train_batch_size: size, gradient_accumulation_steps: accumulation, num_generations: group } = config;
  return method === 'grpo' ? { prompts: size * accumulation, rows: size * group } : { prompts: (size * accumulation) / group, rows: size };
}

export class RolloutPlan {
  readonly totalSteps: number;
  private readonly rollouts: BatchPlan;
  private readonly iterations: number;
  private readonly promptsPerRollout: number;

  /** @param promptCount training prompts, at least 1 */
  constructor(
    config: PlanConfig,
    private readonly promptCount: number,
    order: EpochOrder,
  ) {
    const { prompts } = rolloutShape(config);
    this.promptsPerRollout = prompts;
    this.iterations = config.num_iterations;
    this.rollouts = new BatchPlan(
      { seed: config.seed, num_train_epochs: config.num_train_epochs, max_steps: -1, per_device_train_batch_size: prompts, gradient_accumulation_steps: 1 },
      promptCount,
      order,
    );
    this.totalSteps = config.max_steps > 0 ? config.max_steps : this.rollouts.totalSteps * this.iterations;
  }

  /** Steps until every prompt was used once. */
  get stepsPerEpoch(): number {
    return this.rollouts.stepsPerEpoch * this.iterations;
  }

  /** The rollout of the step after `step` finished ones. */
  rolloutOf(step: number): number {
    return Math.floor(step / this.iterations);
  }

  /** Sample indices of a rollout's prompts. */
  prompts(rollout: number): number[] {
    return this.rollouts.microBatches(rollout).flat();
  }

  epochAfter(step: number): number {
    return this.rollouts.epochAfter(Math.ceil(step / this.iterations));
  }

  /** Prompts used after `step` steps. */
  promptsAfter(step: number): number {
    const rollouts = Math.ceil(step / this.iterations);
    const epochs = Math.floor(rollouts / this.rollouts.stepsPerEpoch);
    const inside = (rollouts % this.rollouts.stepsPerEpoch) * this.promptsPerRollout;
    return epochs * this.promptCount + Math.min(inside, this.promptCount);
  }
}
