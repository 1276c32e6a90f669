/** DPO and its relatives as functions of summed log-probabilities; formulas as in TRL's dpo_trainer.py (_compute_loss), in float64. */
import { LorikeetError } from '../protocol/errors.ts';

export const DPO_LOSS_TYPES = [
  'sigmoid',
  'cdpo',
  'robust',
  'hinge',
  'ipo',
  'ipo_summed',
  'sigmoid_norm',
  'exo_pair',
  'nca_pair',
  'bco_pair',
  'sppo_hard',
  'apo_zero',
  'apo_down',
  'sft',
] as const;
export type DpoLossType = (typeof DPO_LOSS_TYPES)[number];

export interface DpoSettings {
  beta: number;
  lossTypes: readonly DpoLossType[];
  /** One for each loss type. */
  lossWeights: readonly number[];
  /** Read by cdpo, robust and exo_pair. */
  labelSmoothing: number;
}

/** Log-probabilities of one pair, summed over the completions' tokens, and the numbers of those tokens. */
export interface DpoPair {
  policyChosen: number;
  policyRejected: number;
  refChosen: number;
  refRejected: number;
  chosenTokens: number;
  rejectedTokens: number;
}

/** Totals of the whole accumulated batch, over which means are taken. */
export interface DpoNormalizer {
  pairs: number;
  chosenTokens: number;
}

export interface DpoResult {
  /** This micro-batch's share of the batch's loss. */
  loss: number;
  /** ∂loss / ∂ log p of each token of the chosen answer, the same for all its tokens. */
  dChosen: number[];
  dRejected: number[];
  perPair: {
    loss: number;
    /** β·(log π − log π_ref) of the chosen answer. */
    chosenReward: number;
    rejectedReward: number;
    margin: number;
    correct: boolean;
  }[];
}

/** Loss of a pair and its slopes by the two policy log-probabilities. */
type Term = readonly [loss: number, dChosen: number, dRejected: number];

const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const logSigmoid = (x: number): number => (x >= 0 ? -Math.log1p(Math.exp(-x)) : x - Math.log1p(Math.exp(x)));

/** Loss over beta·x with slope by x, for losses of the difference alone. */
function ofDifference(loss: number, slope: number): Term {
  return [loss, slope, -slope];
}

function term(type: Exclude<DpoLossType, 'sft'>, { policyChosen, policyRejected, refChosen, refRejected, chosenTokens, rejectedTokens }: DpoPair, beta: number, smoothing: number): Term {
  const c = policyChosen - refChosen;
  const r = policyRejected - refRejected;
  const delta = c - r;
  const x = beta * delta;
  switch (type) {
    case 'sigmoid':
      return ofDifference(-logSigmoid(x), -beta * sigmoid(-x));
    case 'cdpo':
      return ofDifference(-(1 - smoothing) * logSigmoid(x) - smoothing * logSigmoid(-x), beta * (-(1 - smoothing) * sigmoid(-x) + smoothing * sigmoid(x)));
    case 'robust': {
      const scale = 1 - 2 * smoothing;
      const loss = (-(1 - smoothing) * logSigmoid(x) + smoothing * logSigmoid(-x)) / scale;
      return ofDifference(loss, (beta * (-(1 - smoothing) * sigmoid(-x) - smoothing * sigmoid(x))) / scale);
    }
    case 'hinge':
      return ofDifference(Math.max(0, 1 - x), x < 1 ? -beta : 0);
    case 'ipo': {
      const gap = c / chosenTokens - r / rejectedTokens - 1 / (2 * beta);
      return [gap * gap, (2 * gap) / chosenTokens, (-2 * gap) / rejectedTokens];
    }
    case 'ipo_summed': {
      const gap = delta - 1 / (2 * beta);
      return ofDifference(gap * gap, 2 * gap);
    }
    case 'sigmoid_norm': {
      const y = beta * (c / chosenTokens - r / rejectedTokens);
      const slope = -beta * sigmoid(-y);
      return [-logSigmoid(y), slope / chosenTokens, -slope / rejectedTokens];
    }
    case 'exo_pair': {
      const epsilon = Math.max(smoothing, 1e-3);
      const p = sigmoid(x);
      const q = sigmoid(-x);
      const up = logSigmoid(x) - Math.log(1 - epsilon);
      const down = logSigmoid(-x) - Math.log(epsilon);
      // d/dx: p' = pq, (log p)' = q, (log q)' = −p.
      return ofDifference(p * up + q * down, beta * (p * q * up + p * q - p * q * down - q * p));
    }
    case 'nca_pair': {
      const [y, z] = [beta * c, beta * r];
      return [-logSigmoid(y) - 0.5 * logSigmoid(-y) - 0.5 * logSigmoid(-z), beta * (-sigmoid(-y) + 0.5 * sigmoid(y)), 0.5 * beta * sigmoid(z)];
    }
    case 'bco_pair': {
      const [y, z] = [beta * c, beta * r];
      return [-logSigmoid(y) - logSigmoid(-z), -beta * sigmoid(-y), beta * sigmoid(z)];
    }
    case 'sppo_hard': {
      const [up, down] = [c - 0.5 / beta, r + 0.5 / beta];
      return [up * up + down * down, 2 * up, 2 * down];
    }
    case 'apo_zero': {
      const [y, z] = [sigmoid(beta * c), sigmoid(beta * r)];
      return [1 - y + z, -beta * y * (1 - y), beta * z * (1 - z)];
    }
    case 'apo_down': {
      const [y, z] = [sigmoid(beta * c), sigmoid(x)];
      const slope = beta * z * (1 - z);
      return [y + 1 - z, beta * y * (1 - y) - slope, slope];
    }
  }
}

/** @throws LorikeetError "config" where there is not one weight for each loss type, or no loss type at all */
function checkDpoSettings({ lossTypes, lossWeights }: Pick<DpoSettings, 'lossTypes' | 'lossWeights'>): void {
  if (lossTypes.length > 0 && lossTypes.length === lossWeights.length) return;
  throw new LorikeetError('config', `loss_type names ${lossTypes.length} losses, loss_weights gives ${lossWeights.length} weights.`, 'Give one weight for each loss.', { field: 'loss_weights' });
}

/**
 * Loss, gradient and figures of a micro-batch: Σ over loss types of weight × mean over the batch's pairs. "sft" is the
 * mean −log p over the chosen answers' tokens.
 * @throws LorikeetError "config" unless there is one weight for each loss type
 */
export function dpoLoss(pairs: readonly DpoPair[], settings: DpoSettings, normalizer: DpoNormalizer): DpoResult {
  checkDpoSettings(settings);
  const { beta, lossTypes, lossWeights, labelSmoothing } = settings;
  const result: DpoResult = { loss: 0, dChosen: [], dRejected: [], perPair: [] };
  for (const pair of pairs) {
    let [loss, dChosen, dRejected] = [0, 0, 0];
    lossTypes.forEach((type, i) => {
      const weight = lossWeights[i];
      if (type === 'sft') {
        const share = (weight * normalizer.pairs) / normalizer.chosenTokens;
        loss -= share * pair.policyChosen;
        dChosen -= share;
        return;
      }
      const [value, chosen, rejected] = term(type, pair, beta, labelSmoothing);
      loss += weight * value;
      dChosen += weight * chosen;
      dRejected += weight * rejected;
    });
    const chosenReward = beta * (pair.policyChosen - pair.refChosen);
    const rejectedReward = beta * (pair.policyRejected - pair.refRejected);
    result.loss += loss / normalizer.pairs;
    result.dChosen.push(dChosen / normalizer.pairs);
    result.dRejected.push(dRejected / normalizer.pairs);
    result.perPair.push({ loss, chosenReward, rejectedReward, margin: chosenReward - rejectedReward, correct: chosenReward > rejectedReward });
  }
  return result;
}
