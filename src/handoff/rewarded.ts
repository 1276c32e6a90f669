/** Reward training: which runs are of that kind, and which of them no bundle can carry. */
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';

/** Whether a run's answers are sampled and rewarded. */
export function isRewarded({ method }: Pick<TrainingConfig, 'method'>): boolean {
  return method === 'grpo' || method === 'grpo-trl';
}

/**
 * The built-in schemes are carried as Python; functions of the user's own are JavaScript.
 * @throws LorikeetError "config" naming the rewards that cannot go along
 */
export function checkRewards({ method, custom_rewards: own }: Pick<TrainingConfig, 'method' | 'custom_rewards'>): void {
  if (!isRewarded({ method }) || own.length === 0) return;
  throw new LorikeetError(
    'config',
    `The run has rewards of your own, which are JavaScript: ${own.map(({ name }) => `"${name}"`).join(', ')}.`,
    'Bundles carry the built-in reward schemes only. Download the adapter, write the rewards in Python and start TRL’s GRPOTrainer from it.',
    { field: 'custom_rewards' },
  );
}
