/** How predicted objects are set against the true ones. */
import { boxIou } from '../detection.ts';
import type { RewardObject } from './reward-object.ts';

/** One name contains the other; an empty name agrees with nothing. */
export function sameCategory(a: string, b: string): boolean {
  return a !== '' && b !== '' && (a.includes(b) || b.includes(a));
}

export interface BestPrediction {
  /** 0 where nothing overlaps. */
  iou: number;
  object: RewardObject | null;
}

/** For each true object the first prediction with the highest IoU; predictions may serve several. */
export function bestPredictions(expected: readonly RewardObject[], given: readonly RewardObject[]): BestPrediction[] {
  return expected.map((truth) => {
    let best: BestPrediction = { iou: 0, object: null };
    for (const object of given) {
      const iou = boxIou(object.box, truth.box);
      if (iou > best.iou) best = { iou, object };
    }
    return best;
  });
}

export interface MatchedPair {
  truth: RewardObject;
  given: RewardObject;
  iou: number;
}

/** Among equal overlaps the right category goes first. */
const CATEGORY_BONUS = 0.01;

/** Greedy, one to one, by IoU (+0.01 if the category agrees), of pairs with at least the given IoU. */
export function matchOneToOne(expected: readonly RewardObject[], given: readonly RewardObject[], least: number): MatchedPair[] {
  const candidates: (MatchedPair & { rank: number })[] = [];
  for (const truth of expected) {
    for (const object of given) {
      const iou = boxIou(object.box, truth.box);
      if (iou >= least) candidates.push({ truth, given: object, iou, rank: iou + (sameCategory(truth.category, object.category) ? CATEGORY_BONUS : 0) });
    }
  }
  candidates.sort((a, b) => b.rank - a.rank);
  const used = new Set<RewardObject>();
  const matched: MatchedPair[] = [];
  for (const { truth, given: object, iou } of candidates) {
    if (used.has(truth) || used.has(object)) continue;
    used.add(truth).add(object);
    matched.push({ truth, given: object, iou });
  }
  return matched;
}

/** Mean of numbers or truths; 0 of none. */
export function mean(values: readonly (number | boolean)[]): number {
  return values.length === 0 ? 0 : values.reduce<number>((sum, value) => sum + Number(value), 0) / values.length;
}
