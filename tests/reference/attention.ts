/** Plain grouped-query attention over segments, with the whole probability row in memory, in doubles. */

export interface PlainAttentionShape {
  rows: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  causal: boolean;
}

type Values = ArrayLike<number>;

/** q [rows, heads · headDim], k and v [rows, kvHeads · headDim]; first and one-past-last row of each row's segment. */
export interface PlainAttentionInputs {
  q: Values;
  k: Values;
  v: Values;
  start: Values;
  end: Values;
}

/** softmax(q · k / √headDim) of row t and head h over the rows it sees. */
function probabilities({ q, k, start, end }: PlainAttentionInputs, shape: PlainAttentionShape, t: number, h: number): { first: number; p: Float64Array } {
  const { heads, kvHeads, headDim } = shape;
  const kv = Math.floor(h / (heads / kvHeads));
  const first = start[t];
  const last = shape.causal ? t + 1 : end[t];
  const scores = Float64Array.from({ length: last - first }, (_, j) => {
    let score = 0;
    for (let i = 0; i < headDim; i++) score += q[(t * heads + h) * headDim + i] * k[((first + j) * kvHeads + kv) * headDim + i];
    return score / Math.sqrt(headDim);
  });
  const highest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = scores.map((score) => Math.exp(score - highest));
  const total = powers.reduce((a, b) => a + b, 0);
  return { first, p: powers.map((power) => power / total) };
}

/** [rows, heads · headDim] */
export function plainAttention(inputs: PlainAttentionInputs, shape: PlainAttentionShape): Float64Array {
  const { rows, heads, kvHeads, headDim } = shape;
  const output = new Float64Array(rows * heads * headDim);
  for (let t = 0; t < rows; t++) {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor(h / (heads / kvHeads));
      const { first, p } = probabilities(inputs, shape, t, h);
      p.forEach((share, j) => {
        for (let i = 0; i < headDim; i++) output[(t * heads + h) * headDim + i] += share * inputs.v[((first + j) * kvHeads + kv) * headDim + i];
      });
    }
  }
  return output;
}

/** Gradients of Σ dO · plainAttention, by the chain rule through the probability row: dS = P ∘ (dP − Σ P ∘ dP). */
export function plainAttentionGradient(inputs: PlainAttentionInputs, shape: PlainAttentionShape, dO: Values): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  const { rows, heads, kvHeads, headDim } = shape;
  const dq = new Float64Array(rows * heads * headDim);
  const dk = new Float64Array(rows * kvHeads * headDim);
  const dv = new Float64Array(rows * kvHeads * headDim);
  for (let t = 0; t < rows; t++) {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor(h / (heads / kvHeads));
      const query = (t * heads + h) * headDim;
      const { first, p } = probabilities(inputs, shape, t, h);
      const dP = p.map((_, j) => {
        let sum = 0;
        for (let i = 0; i < headDim; i++) sum += dO[query + i] * inputs.v[((first + j) * kvHeads + kv) * headDim + i];
        return sum;
      });
      const mean = p.reduce((sum, share, j) => sum + share * dP[j], 0);
      p.forEach((share, j) => {
        const key = ((first + j) * kvHeads + kv) * headDim;
        const dS = (share * (dP[j] - mean)) / Math.sqrt(headDim);
        for (let i = 0; i < headDim; i++) {
          dq[query + i] += dS * inputs.k[key + i];
          dk[key + i] += dS * inputs.q[query + i];
          dv[key + i] += share * dO[query + i];
        }
      });
    }
  }
  return { dq, dk, dv };
}
