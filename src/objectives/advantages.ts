/** From rewards to advantages, as TRL's grpo_trainer.py does it (_generate_and_score_completions, sum_then_normalize). */
import { LorikeetError } from '../protocol/errors.ts';

/** Keeps a group without spread from dividing by zero; TRL's value. */
const STD_EPSILON = 1e-4;

export interface Advantages {
  /** One per answer; 0 for answers without a usable reward. */
  advantages: number[];
  /** Standard deviation of the rewards in each group (n − 1). */
  groupStd: number[];
  /** Share of groups whose rewards are all equal: they teach nothing. */
  zeroStdShare: number;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Unbiased, as torch.std; 0 where there is only one value. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/**
 * A = r − mean of its group, divided by (std + 1e-4) of the group or of the whole batch where that is wanted.
 * @param rewards group by group; null where no reward was usable: left out of mean and spread
 * @throws LorikeetError "config" for groups below 2 or an incomplete group
 */
export function groupAdvantages(rewards: readonly (number | null)[], groupSize: number, scale: 'group' | 'batch' | 'none'): Advantages {
  if (groupSize < 2 || rewards.length % groupSize !== 0) {
    throw new LorikeetError('config', `${rewards.length} rewards do not form groups of ${groupSize}.`, 'num_generations must be at least 2.', { field: 'num_generations' });
  }
  const usable = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const batchStd = standardDeviation(usable(rewards));
  const result: Advantages = { advantages: [], groupStd: [], zeroStdShare: 0 };
  for (let first = 0; first < rewards.length; first += groupSize) {
    const group = rewards.slice(first, first + groupSize);
    const values = usable(group);
    const middle = values.length > 0 ? mean(values) : 0;
    const std = standardDeviation(values);
    const divisor = scale === 'none' ? 1 : (scale === 'group' ? std : batchStd) + STD_EPSILON;
    for (const reward of group) result.advantages.push(reward === null ? 0 : (reward - middle) / divisor);
    result.groupStd.push(std);
  }
  const flat = result.groupStd.filter((std) => Math.abs(std) < 1e-8).length;
  return { ...result, zeroStdShare: result.groupStd.length > 0 ? flat / result.groupStd.length : 0 };
}
