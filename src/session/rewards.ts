/** The rewards of a run: a built-in scheme and the user's own functions, as one scorer. */
import type { RewardOptions } from '../objectives/rewards/contract.ts';
import { rewardCall } from '../objectives/rewards/custom.ts';
import { faultText } from '../objectives/rewards/fault-place.ts';
import { rewardScheme } from '../objectives/rewards/scheme.ts';
import { boxUnitOf, type TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { RewardFault, RolloutPrompt, Scorer } from '../training/methods/scorer.ts';
import { CustomReward } from './custom-reward.ts';

type RewardConfig = Pick<TrainingConfig, 'reward_scheme' | 'reward_weights' | 'custom_rewards' | 'box_convention' | 'seed'>;

/**
 * @param categories of the whole dataset
 * @throws LorikeetError "config" when the weights do not fit the scheme or two terms share a name
 */
export function buildScorer(config: RewardConfig, categories: ReadonlySet<string>): Scorer {
  const scheme = config.reward_scheme === 'none' ? null : rewardScheme(config.reward_scheme);
  const own = config.custom_rewards.map(({ name, weight, source }) => ({ name, weight, reward: new CustomReward({ source, seed: config.seed }) }));
  const schemeTerms = scheme?.terms ?? [];
  const terms = [...schemeTerms, ...own.map(({ name }) => name)];
  const twice = terms.find((term, i) => terms.indexOf(term) !== i);
  if (twice !== undefined) throw refuse('custom_rewards', `the reward "${twice}" has the name of a term of the scheme`, 'Rename it.');
  const weights = [...schemeWeights(config, schemeTerms, scheme?.defaultWeights ?? {}), ...own.map(({ weight }) => weight)];
  const optionsOf = ({ imageSize }: RolloutPrompt): RewardOptions => ({ boxes: boxUnitOf(config), imageSize, categories });
  return {
    terms,
    weights,
    async score(answers) {
      const rewards: (number | null)[][] = answers.map(({ prompt, completion }) => {
        const values = scheme?.score(prompt.truth, completion, optionsOf(prompt)) ?? {};
        return schemeTerms.map((term) => values[term] ?? null);
      });
      const faults: RewardFault[] = [];
      for (const { name, reward } of own) {
        const { outcomes } = await reward.score(answers.map(({ prompt, completion }) => rewardCall(completion, prompt, boxUnitOf(config))));
        outcomes.forEach((outcome, i) => rewards[i].push(outcome.reward));
        const bad = outcomes.filter((outcome) => outcome.fault !== null);
        if (bad.length > 0) faults.push({ name, count: bad.length, reason: faultText(bad[0]) });
      }
      return { rewards, faults };
    },
    close() {
      for (const { reward } of own) reward.close();
    },
  };
}

function schemeWeights({ reward_scheme, reward_weights }: RewardConfig, terms: readonly string[], defaults: Readonly<Record<string, number>>): readonly number[] {
  if (reward_weights === null) return terms.map((term) => defaults[term]);
  if (reward_weights.length !== terms.length) {
    throw refuse('reward_weights', `there are ${reward_weights.length} weights, but "${reward_scheme}" has the terms ${terms.join(', ') || 'none'}`, 'Give one weight for each term, in this order, or leave them out.');
  }
  return reward_weights;
}

function refuse(field: string, message: string, advice: string): LorikeetError {
  return new LorikeetError('config', `Setting ${field}: ${message}.`, advice, { field });
}
