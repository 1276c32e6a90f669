/** Plain −log softmax of targets, with all logits in memory, in doubles. */

/** nll[t] = log Σ_n exp(h_t · w_n) − h_t · w_target; gradient of Σ rowWeights · nll with respect to the hidden states. */
export function plainLogProbs(
  hidden: ArrayLike<number>, head: ArrayLike<number>, size: number, vocabulary: number, targets: ArrayLike<number>, rowWeights: ArrayLike<number>,
): { nll: Float64Array; dHidden: Float64Array } {
  const rows = targets.length;
  const nll = new Float64Array(rows);
  const dHidden = new Float64Array(rows * size);
  for (let t = 0; t < rows; t++) {
    const logits = Float64Array.from({ length: vocabulary }, (_, n) => {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += hidden[t * size + i] * head[n * size + i];
      return sum;
    });
    const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = logits.map((logit) => Math.exp(logit - highest));
    const total = powers.reduce((a, b) => a + b, 0);
    nll[t] = highest + Math.log(total) - logits[targets[t]];
    for (let n = 0; n < vocabulary; n++) {
      const share = rowWeights[t] * (powers[n] / total - (n === targets[t] ? 1 : 0));
      for (let i = 0; i < size; i++) dHidden[t * size + i] += share * head[n * size + i];
    }
  }
  return { nll, dHidden };
}
