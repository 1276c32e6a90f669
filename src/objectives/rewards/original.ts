/** The first four-term reward: format, boxes, categories, completeness; −5 to 5 with its weights. No gate. */
import type { RewardScheme, RewardTerms } from './contract.ts';
import { bestPredictions, mean, sameCategory } from './matching.ts';
import { readPair } from './read-answer.ts';
import type { RewardAnswer } from './reward-object.ts';

/**
 * bbox         2 · mean over true objects of the best IoU − 1
 * category     2 · share of true objects whose best-overlapping prediction has the category − 1
 * completeness 2 · min(predicted / true, 1) − 1
 * Nothing predicted: −1 each. No true objects: 1 each if nothing is predicted, else −0.3, −0.3 and 0.5.
 */
export function fourTerms(expected: RewardAnswer, given: RewardAnswer): RewardTerms {
  const [truths, predictions] = [expected.objects, given.objects];
  if (truths.length === 0) return predictions.length === 0 ? { bbox: 1, category: 1, completeness: 1 } : { bbox: -0.3, category: -0.3, completeness: 0.5 };
  if (predictions.length === 0) return { bbox: -1, category: -1, completeness: -1 };
  const best = bestPredictions(truths, predictions);
  return {
    bbox: 2 * mean(best.map(({ iou }) => iou)) - 1,
    category: 2 * mean(best.map(({ object }, i) => object !== null && sameCategory(object.category, truths[i].category))) - 1,
    completeness: 2 * Math.min(predictions.length / truths.length, 1) - 1,
  };
}

export const original: RewardScheme = {
  name: 'original',
  terms: ['format', 'bbox', 'category', 'completeness'],
  defaultWeights: { format: 1, bbox: 2, category: 1.5, completeness: 0.5 },
  score(truth, completion, options = {}) {
    const { expected, given } = readPair(truth, completion, options, false);
    return { format: formatTerm(completion, given), ...fourTerms(expected, given) };
  },
};

/** 1 with a box or the words for (nothing) detected, 0.3 for other text, −1 for none. */
function formatTerm(completion: string, given: RewardAnswer): number {
  if (given.objects.length > 0 || completion.includes('检测到')) return 1;
  return completion.trim() === '' ? -1 : 0.3;
}
