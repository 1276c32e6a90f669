/** The seam between objectives and models: log-probabilities in, slopes out. */

/** What a forward pass says of each of the L targets. */
export interface TokenScores {
  /** log p(target) at the scoring temperature. */
  logProbs: Float32Array;
  /** Entropy of the token distribution in nats, at the same temperature. */
  entropy: Float32Array;
  /** 1 where no token is more likely than the target, else 0. */
  top1: Float32Array;
  /** Mean of the raw logits over the vocabulary. */
  meanLogit: Float32Array;
}

export interface ScoringOptions {
  /** Logits are divided by it before the softmax; 1 = the model's own distribution. */
  temperature: number;
}

/** A loss over token log-probabilities. Returns ∂loss/∂logProbs, L values; pure. */
export type Objective = (scores: TokenScores) => Float32Array;
