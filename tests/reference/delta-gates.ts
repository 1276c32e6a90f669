/** Plain gates of the gated delta rule and the gated norm behind it, in doubles; gradients by differences. */
import { centralDifferences, dot } from './differences.ts';

type Values = ArrayLike<number>;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** −exp(aLog) · softplus(a + dtBias) over rows of heads. */
export function plainDecay(a: Values, aLog: Values, dtBias: Values): Float64Array {
  return Float64Array.from(a, (value, i) => -Math.exp(aLog[i % aLog.length]) * softplus(value + dtBias[i % aLog.length]));
}

export const plainBeta = (b: Values): Float64Array => Float64Array.from(b, sigmoid);

/** x / √(mean(x²) + eps) · weight · silu(z) over one head. */
function gatedNormHead(x: Values, z: Values, weight: Values, eps: number): Float64Array {
  const values = Float64Array.from(x);
  const scale = 1 / Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length + eps);
  return values.map((value, i) => value * scale * weight[i] * z[i] * sigmoid(z[i]));
}

/** Every head of `weight.length` values. */
export function plainGatedNorm(x: Float32Array, z: Float32Array, weight: Values, eps: number): Float64Array {
  const y = new Float64Array(x.length);
  const size = weight.length;
  for (let at = 0; at < x.length; at += size) y.set(gatedNormHead(x.subarray(at, at + size), z.subarray(at, at + size), weight, eps), at);
  return y;
}

export function plainGatedNormGradient(x: Float32Array, z: Float32Array, weight: Values, eps: number, dy: Float32Array): { dx: Float64Array; dz: Float64Array } {
  const [dx, dz] = [new Float64Array(x.length), new Float64Array(x.length)];
  const size = weight.length;
  for (let at = 0; at < x.length; at += size) {
    const [xs, zs, slope] = [x, z, dy].map((values) => values.subarray(at, at + size));
    dx.set(centralDifferences((head) => dot(gatedNormHead(head, zs, weight, eps), slope), xs), at);
    dz.set(centralDifferences((head) => dot(gatedNormHead(xs, head, weight, eps), slope), zs), at);
  }
  return { dx, dz };
}
