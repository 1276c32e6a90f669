/** Plain rotary embedding of one head, with an optional RMSNorm in front, in doubles. */
import { centralDifferences, dot } from './differences.ts';
import { plainNormRow } from './norm.ts';

/** Rotates pairs (i, i + R/2) of the first R values of a normalised head by the angles whose cosines and sines are given (R/2 each). */
export function plainRotaryHead(x: ArrayLike<number>, cos: ArrayLike<number>, sin: ArrayLike<number>, weight: ArrayLike<number> | null, eps: number): Float64Array {
  const head = weight ? plainNormRow(x, weight, null, eps) : Float64Array.from(x);
  const half = cos.length;
  return head.map((value, i) => {
    if (i >= 2 * half) return value;
    return i < half ? value * cos[i] - head[i + half] * sin[i] : value * cos[i - half] + head[i - half] * sin[i - half];
  });
}

/** Gradient of Σ dy · plainRotaryHead(x), by differences. */
export function plainRotaryHeadGradient(
  x: ArrayLike<number>, cos: ArrayLike<number>, sin: ArrayLike<number>, weight: ArrayLike<number> | null, eps: number, dy: ArrayLike<number>,
): Float64Array {
  return centralDifferences((head) => dot(plainRotaryHead(head, cos, sin, weight, eps), dy), x);
}
