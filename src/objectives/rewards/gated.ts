/** The four-term reward behind a gate: an answer of invalid format earns nothing at all. */
import type { RewardScheme, RewardTerms } from './contract.ts';
import { fourTerms, original } from './original.ts';
import { readPair } from './read-answer.ts';
import type { RewardAnswer } from './reward-object.ts';

/** Numbered objects with box and status; or, where there is nothing to find, the phrase for it and no box. */
export function isValidFormat(expected: RewardAnswer, given: RewardAnswer): boolean {
  const list = given.objects.length > 0 && given.hasNumbers && given.hasStatus;
  return list || (expected.objects.length === 0 && given.objects.length === 0 && given.saysNone);
}

export const gated: RewardScheme = {
  name: 'gated',
  terms: original.terms,
  defaultWeights: { format: 0.2, bbox: 3, category: 2, completeness: 2 },
  score(truth, completion, options = {}): RewardTerms {
    const { expected, given } = readPair(truth, completion, options, true);
    return isValidFormat(expected, given) ? { format: 1, ...fourTerms(expected, given) } : { format: 0, bbox: 0, category: 0, completeness: 0 };
  },
};
