/** The first reward of the TRL variant: four terms between 0 and 1. No gate. */
import type { RewardScheme, RewardTerms } from './contract.ts';
import { bestPredictions, mean, sameCategory } from './matching.ts';
import { readPair } from './read-answer.ts';
import type { RewardAnswer } from './reward-object.ts';

/**
 * bbox_iou        mean over true objects of the best IoU
 * category_match  share of true objects whose category some prediction names
 * status_accuracy 1 if both or neither report a fault
 * No true objects: 1 each if nothing is predicted, else 0.3, 0.5 and 0.5.
 */
function legacyTerms(expected: RewardAnswer, given: RewardAnswer): RewardTerms {
  const [truths, predictions] = [expected.objects, given.objects];
  if (truths.length === 0) return predictions.length === 0 ? { bbox_iou: 1, category_match: 1, status_accuracy: 1 } : { bbox_iou: 0.3, category_match: 0.5, status_accuracy: 0.5 };
  const anyFault = (answer: RewardAnswer) => answer.objects.some(({ anomalous }) => anomalous);
  return {
    bbox_iou: mean(bestPredictions(truths, predictions).map(({ iou }) => iou)),
    category_match: mean(truths.map((truth) => predictions.some(({ category }) => sameCategory(category, truth.category)))),
    status_accuracy: Number(anyFault(expected) === anyFault(given)),
  };
}

export const trlLegacy: RewardScheme = {
  name: 'trl_legacy',
  terms: ['format', 'bbox_iou', 'category_match', 'status_accuracy'],
  defaultWeights: { format: 1, bbox_iou: 2, category_match: 1, status_accuracy: 1 },
  score(truth, completion, options = {}) {
    const { expected, given } = readPair(truth, completion, options, false);
    return { format: formatTerm(completion, given), ...legacyTerms(expected, given) };
  },
};

/** A box with number and status 1, with one of them 0.7, alone 0.5; other text 0.1. */
function formatTerm(completion: string, { objects, hasNumbers, hasStatus }: RewardAnswer): number {
  if (objects.length === 0) return completion.trim() === '' ? 0 : 0.1;
  return [0.5, 0.7, 1][Number(hasNumbers) + Number(hasStatus)];
}
