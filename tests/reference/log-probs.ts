/** Plain −log softmax of targets, with all logits in memory, in doubles. */

export interface PlainLogProbs {
  nll: Float64Array;
  /** Gradient of Σ rowWeights · nll with respect to the hidden states. */
  dHidden: Float64Array;
  /** −Σ p log p */
  entropy: Float64Array;
  /** 1 where no logit exceeds the target's. */
  top1: Float64Array;
  /** Of the raw logits. */
  meanLogit: Float64Array;
}

/** nll[t] = log Σ_n exp(h_t · w_n / T) − h_t · w_target / T, and what goes with it. */
export function plainLogProbs(
  hidden: ArrayLike<number>, head: ArrayLike<number>, size: number, vocabulary: number, targets: ArrayLike<number>, rowWeights: ArrayLike<number>, temperature = 1,
): PlainLogProbs {
  const rows = targets.length;
  const nll = new Float64Array(rows);
  const dHidden = new Float64Array(rows * size);
  const [entropy, top1, meanLogit] = [new Float64Array(rows), new Float64Array(rows), new Float64Array(rows)];
  for (let t = 0; t < rows; t++) {
    const raw = Float64Array.from({ length: vocabulary }, (_, n) => {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += hidden[t * size + i] * head[n * size + i];
      return sum;
    });
    const logits = raw.map((logit) => logit / temperature);
    const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = logits.map((logit) => Math.exp(logit - highest));
    const total = powers.reduce((a, b) => a + b, 0);
    nll[t] = highest + Math.log(total) - logits[targets[t]];
    top1[t] = logits[targets[t]] === highest ? 1 : 0;
    meanLogit[t] = raw.reduce((a, b) => a + b, 0) / vocabulary;
    for (let n = 0; n < vocabulary; n++) {
      if (powers[n] > 0) entropy[t] -= (powers[n] / total) * Math.log(powers[n] / total);
      const share = (rowWeights[t] / temperature) * (powers[n] / total - (n === targets[t] ? 1 : 0));
      for (let i = 0; i < size; i++) dHidden[t * size + i] += share * head[n * size + i];
    }
  }
  return { nll, dHidden, entropy, top1, meanLogit };
}
