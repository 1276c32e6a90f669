/** What every built-in reward has in common. */

/** How an answer is to be read. */
export interface RewardOptions {
  /** Unit of the boxes in truth and completion alike; default "thousandths". */
  boxes?: 'thousandths' | 'pixels';
  /** Size of the resized image in pixels; needed for boxes in pixels. */
  imageSize?: { width: number; height: number };
  /** Categories of the dataset; where given, the demo's strict format allows no others. */
  categories?: ReadonlySet<string>;
  /** Parameters of the risk-aware scheme. */
  risk?: Partial<RiskSettings>;
}

export interface RiskSettings {
  /** Least IoU of a match, held between 0.1 and 0.95. */
  matchIou: number;
  hallucinationUnitPenalty: number;
  noDetectionMissingPenalty: number;
  omissionPenalty: number;
}

export type RewardTerms = Record<string, number>;

export interface RewardScheme {
  name: string;
  terms: readonly string[];
  defaultWeights: RewardTerms;
  /**
   * The terms of one completion, unweighted.
   * @param truth the dataset's answer, read by the same code as the completion
   */
  score(truth: string, completion: string, options?: RewardOptions): RewardTerms;
}

/**
 * Σ w·r over the usable terms, as TRL's nansum; null when none is.
 * @param rewards one value per term
 * @param weights in the same order
 */
export function weightedReward(rewards: readonly (number | null)[], weights: readonly number[]): number | null {
  if (rewards.every((reward) => reward === null)) return null;
  return rewards.reduce<number>((sum, reward, t) => sum + (reward === null ? 0 : weights[t] * reward), 0);
}
