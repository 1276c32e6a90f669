/** Plain RMSNorm and LayerNorm in doubles. */
import { centralDifferences, dot } from './differences.ts';

/** One row: (x − mean) / √(mean((x − mean)²) + eps) · weight + bias; without bias the mean is taken as 0 (RMSNorm). */
export function plainNormRow(x: ArrayLike<number>, weight: ArrayLike<number>, bias: ArrayLike<number> | null, eps: number): Float64Array {
  const values = Float64Array.from(x);
  const mean = bias ? values.reduce((sum, value) => sum + value, 0) / values.length : 0;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value, i) => ((value - mean) / Math.sqrt(variance + eps)) * weight[i] + (bias ? bias[i] : 0));
}

/** Every row of `size` values. */
export function plainNorm(x: Float32Array, weight: ArrayLike<number>, bias: ArrayLike<number> | null, size: number, eps: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let base = 0; base < x.length; base += size) y.set(plainNormRow(x.subarray(base, base + size), weight, bias, eps), base);
  return y;
}

/** Gradient of Σ dy · plainNorm(x), by differences. */
export function plainNormGradient(x: Float32Array, weight: ArrayLike<number>, bias: ArrayLike<number> | null, size: number, eps: number, dy: Float32Array): Float64Array {
  const dx = new Float64Array(x.length);
  for (let base = 0; base < x.length; base += size) {
    const slope = dy.subarray(base, base + size);
    dx.set(centralDifferences((row) => dot(plainNormRow(row, weight, bias, eps), slope), x.subarray(base, base + size)), base);
  }
  return dx;
}
