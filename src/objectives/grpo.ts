/** GRPO's clipped policy loss over token log-probabilities; formulas as in TRL's grpo_trainer.py (_compute_loss), in float64. */

export const GRPO_LOSS_TYPES = ['grpo', 'bnpo', 'dr_grpo', 'dapo', 'cispo'] as const;
export type GrpoLossType = (typeof GRPO_LOSS_TYPES)[number];

export interface GrpoSettings {
  lossType: GrpoLossType;
  /** Weight of the k3 estimate of KL(π ‖ π_ref); 0 = none. */
  beta: number;
  epsilon: number;
  epsilonHigh: number;
  /** Upper bound of the ratio before the minimum is taken (two-sided clip); null = none. */
  delta: number | null;
  importanceSamplingLevel: 'token' | 'sequence';
  maxCompletionLength: number;
}

/** One sampled answer. Log-probabilities are those of its T tokens at the sampling temperature. */
export interface GrpoRow {
  logProbs: ArrayLike<number>;
  /** Of the policy that sampled; null = the present one (ratio 1, with gradient). */
  oldLogProbs: ArrayLike<number> | null;
  /** Null where beta is 0. */
  refLogProbs: ArrayLike<number> | null;
  advantage: number;
  /** Carries no loss and counts in no denominator of tokens. */
  masked: boolean;
}

/** Totals of the whole accumulated batch. */
export interface GrpoNormalizer {
  rows: number;
  /** Tokens of rows that are not masked; the denominator of dapo and cispo. */
  completionTokens: number;
  /** grpo, bnpo and dr_grpo average over micro-batches. */
  microBatches: number;
}

export interface GrpoStats {
  /** Mean k3 per token; null without a reference. */
  kl: number | null;
  /** Shares of tokens (or sequences) whose ratio was cut; mean, and extremes over the rows. */
  lowMean: number;
  lowMin: number;
  highMean: number;
  highMax: number;
  regionMean: number;
}

export interface GrpoResult {
  /** This micro-batch's share of the batch's loss. */
  loss: number;
  /** ∂loss / ∂logProbs of each row. */
  gradients: Float64Array[];
  /** Loss of each token before the reduction, KL included. */
  perTokenLoss: Float64Array[];
  stats: GrpoStats;
}

/**
 * Loss and gradient of a micro-batch.
 *   grpo     mean over rows of the mean over tokens
 *   bnpo     mean over all tokens of the micro-batch
 *   dr_grpo  sum / (rows · max_completion_length)
 *   dapo, cispo  sum / completion tokens of the whole batch
 * The first three are divided by the number of micro-batches.
 */
export function grpoLoss(rows: readonly GrpoRow[], settings: GrpoSettings, normalizer: GrpoNormalizer): GrpoResult {
  const tokensHere = rows.reduce((sum, { logProbs, masked }) => sum + (masked ? 0 : logProbs.length), 0);
  const result: GrpoResult = { loss: 0, gradients: [], perTokenLoss: [], stats: { kl: null, lowMean: 0, lowMin: 0, highMean: 0, highMax: 0, regionMean: 0 } };
  const clips: { low: number; high: number; weight: number }[] = [];
  let kl = { sum: 0, tokens: 0 };
  for (const row of rows) {
    const weight = tokenWeight(row, rows.length, tokensHere, settings, normalizer);
    const { losses, slopes, kls, low, high } = rowLoss(row, settings);
    result.perTokenLoss.push(losses);
    result.gradients.push(slopes.map((slope) => (row.masked ? 0 : slope * weight)));
    if (row.masked) continue;
    result.loss += weight * losses.reduce((sum, loss) => sum + loss, 0);
    if (kls) kl = { sum: kl.sum + kls.reduce((sum, k) => sum + k, 0), tokens: kl.tokens + kls.length };
    clips.push({ low, high, weight: settings.importanceSamplingLevel === 'token' ? losses.length : 1 });
  }
  if (kl.tokens > 0) result.stats.kl = kl.sum / kl.tokens;
  if (clips.length > 0) Object.assign(result.stats, clipRatios(clips));
  return result;
}

function tokenWeight({ logProbs, masked }: GrpoRow, rows: number, tokensHere: number, { lossType, maxCompletionLength }: GrpoSettings, { completionTokens, microBatches }: GrpoNormalizer): number {
  if (masked) return 0;
  switch (lossType) {
    case 'grpo':
      // An answer without tokens adds nothing, but still is a row.
      return 1 / (Math.max(1, logProbs.length) * rows * microBatches);
    case 'bnpo':
      return 1 / (Math.max(1, tokensHere) * microBatches);
    case 'dr_grpo':
      return 1 / (rows * maxCompletionLength * microBatches);
    default:
      return 1 / Math.max(1, completionTokens);
  }
}

function rowLoss({ logProbs, oldLogProbs, refLogProbs, advantage }: GrpoRow, settings: GrpoSettings) {
  const { beta, epsilon, epsilonHigh, delta, lossType, importanceSamplingLevel } = settings;
  const count = logProbs.length;
  const losses = new Float64Array(count);
  const slopes = new Float64Array(count);
  const kls = beta > 0 && refLogProbs ? new Float64Array(count) : null;
  const logRatios = Float64Array.from({ length: count }, (_, t) => (oldLogProbs ? logProbs[t] - oldLogProbs[t] : 0));
  const sequence = importanceSamplingLevel === 'sequence';
  const meanLogRatio = logRatios.reduce((sum, value) => sum + value, 0) / count;
  const clipped = { low: 0, high: 0 };
  let sequenceSlope = 0;
  for (let t = 0; t < count; t++) {
    const ratio = Math.exp(sequence ? meanLogRatio : logRatios[t]);
    // ∂ratio / ∂logp is the ratio itself (for a sequence: spread evenly over its tokens).
    let slope: number;
    if (lossType === 'cispo') {
      const capped = Math.min(ratio, epsilonHigh);
      losses[t] = -capped * advantage * logProbs[t];
      slopes[t] = -capped * advantage;
      slope = 0;
    } else {
      const plain = (delta === null ? ratio : Math.min(ratio, delta)) * advantage;
      const bounded = Math.min(Math.max(ratio, 1 - epsilon), 1 + epsilonHigh) * advantage;
      losses[t] = -Math.min(plain, bounded);
      const free = plain <= bounded ? delta === null || ratio <= delta : ratio >= 1 - epsilon && ratio <= 1 + epsilonHigh;
      slope = free ? -ratio * advantage : 0;
    }
    if (sequence) sequenceSlope += slope / count;
    else slopes[t] += slope;
    if (ratio < 1 - epsilon && advantage < 0) clipped.low += 1 / count;
    if (ratio > (lossType === 'cispo' ? epsilonHigh : 1 + epsilonHigh) && advantage > 0) clipped.high += 1 / count;
    if (kls && refLogProbs) {
      const gap = refLogProbs[t] - logProbs[t];
      kls[t] = Math.exp(gap) - gap - 1;
      losses[t] += beta * kls[t];
      slopes[t] += beta * (1 - Math.exp(gap));
    }
  }
  if (sequence) for (let t = 0; t < count; t++) slopes[t] += sequenceSlope;
  return { losses, slopes, kls, ...clipped };
}

/** Token-weighted means over the micro-batch, and the extremes of the rows' own shares. */
function clipRatios(rows: readonly { low: number; high: number; weight: number }[]): Omit<GrpoStats, 'kl'> {
  const total = rows.reduce((sum, { weight }) => sum + weight, 0) || 1;
  const over = (of: (row: { low: number; high: number }) => number) => rows.reduce((sum, row) => sum + of(row) * row.weight, 0) / total;
  const [lowMean, highMean] = [over(({ low }) => low), over(({ high }) => high)];
  return { lowMean, lowMin: Math.min(...rows.map(({ low }) => low)), highMean, highMax: Math.max(...rows.map(({ high }) => high)), regionMean: lowMean + highMean };
}
