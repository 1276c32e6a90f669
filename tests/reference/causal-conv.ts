/** Plain causal depthwise convolution with SiLU, in doubles. */

type Values = ArrayLike<number>;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Σ_j weight[c, j] · x[t − taps + 1 + j, c] over the rows of t's segment, which begins at start[t]. */
function convolved(x: Values, weight: Values, taps: number, start: Values, row: number, channel: number, channels: number): number {
  let sum = 0;
  for (let j = 0; j < taps; j++) {
    const from = row - taps + 1 + j;
    if (from >= start[row]) sum += weight[channel * taps + j] * x[from * channels + channel];
  }
  return sum;
}

/** [rows, channels] */
export function plainCausalConv(x: Values, weight: Values, taps: number, start: Values): Float64Array {
  const channels = weight.length / taps;
  return Float64Array.from({ length: x.length }, (_, i) => {
    const value = convolved(x, weight, taps, start, Math.floor(i / channels), i % channels, channels);
    return value * sigmoid(value);
  });
}

/** Gradient of Σ dy · plainCausalConv(x): every output hands its share to the inputs it saw. */
export function plainCausalConvGradient(x: Values, weight: Values, taps: number, start: Values, dy: Values): Float64Array {
  const channels = weight.length / taps;
  const dx = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const [row, channel] = [Math.floor(i / channels), i % channels];
    const value = convolved(x, weight, taps, start, row, channel, channels);
    const slope = dy[i] * sigmoid(value) * (1 + value * (1 - sigmoid(value)));
    for (let j = 0; j < taps; j++) {
      const from = row - taps + 1 + j;
      if (from >= start[row]) dx[from * channels + channel] += slope * weight[channel * taps + j];
    }
  }
  return dx;
}
