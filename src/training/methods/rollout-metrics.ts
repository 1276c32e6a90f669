/** Figures of sampled answers under TRL's keys (trl/trainer/grpo_trainer.py, _generate and _generate_and_score_completions). */
import { standardDeviation } from '../../objectives/advantages.ts';
import type { RolloutRow } from './rollout.ts';

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function spread(name: string, values: readonly number[]): Record<string, number> {
  return { [`completions/mean_${name}`]: mean(values), [`completions/min_${name}`]: Math.min(...values), [`completions/max_${name}`]: Math.max(...values) };
}

/**
 * @param rows at least one
 * @param terms names of the rewards
 */
export function rolloutMetrics(rows: readonly RolloutRow[], terms: readonly string[]): Record<string, number> {
  const rewards = rows.flatMap(({ reward }) => (reward === null ? [] : [reward]));
  const ended = rows.filter(({ truncated }) => !truncated).map(({ ids }) => ids.length);
  const metrics: Record<string, number> = {
    ...spread('length', rows.map(({ ids }) => ids.length)),
    ...spread('terminated_length', ended.length > 0 ? ended : [0]),
    'completions/clipped_ratio': 1 - ended.length / rows.length,
  };
  terms.forEach((term, t) => {
    const values = rows.flatMap((row) => (row.rewards[t] === null ? [] : [row.rewards[t]]));
    if (values.length === 0) return;
    metrics[`rewards/${term}/mean`] = mean(values);
    metrics[`rewards/${term}/std`] = standardDeviation(values);
  });
  if (rewards.length > 0) Object.assign(metrics, { reward: mean(rewards), reward_std: standardDeviation(rewards) });
  return metrics;
}
