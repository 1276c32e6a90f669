/** Plain AdamW in doubles, step by step as the documentation of torch.optim.AdamW and clip_grad_norm_ gives it. */

export interface PlainAdamW {
  weights: Float64Array;
  m: Float64Array;
  v: Float64Array;
}

export interface PlainAdamWOptions {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  maxGradNorm: number;
  step: number;
}

/** Updates the state in place; returns the gradient's norm before clipping. */
export function plainAdamWStep({ weights, m, v }: PlainAdamW, gradients: ArrayLike<number>, options: PlainAdamWOptions): number {
  const { learningRate, beta1, beta2, epsilon, weightDecay, maxGradNorm, step } = options;
  let squares = 0;
  for (let i = 0; i < gradients.length; i++) squares += gradients[i] ** 2;
  const norm = Math.sqrt(squares);
  const clip = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (norm + 1e-6)) : 1;
  for (let i = 0; i < weights.length; i++) {
    const g = gradients[i] * clip;
    weights[i] -= learningRate * weightDecay * weights[i];
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    const mHat = m[i] / (1 - beta1 ** step);
    const vHat = v[i] / (1 - beta2 ** step);
    weights[i] -= (learningRate * mHat) / (Math.sqrt(vHat) + epsilon);
  }
  return norm;
}
