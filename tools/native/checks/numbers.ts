/** Deterministic values and distances between results. */

/** Roughly bell-shaped values in (-1, 1). */
export function noise(length: number, seed: number): Float32Array {
  const values = new Float32Array(length);
  let state = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < length; i++) values[i] = (next() + next() + next()) / 1.5 - 1;
  return values;
}

/** ‖actual − expected‖ / ‖expected‖; infinite when a value is no number. */
export function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Number.isFinite(difference) ? Math.sqrt(difference / size) : Infinity;
}

/** 1 − cosine of the angle between two gradients. */
export function cosineDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return 1 - product / Math.sqrt(aa * bb);
}

/** Largest |actual − expected| in units of `scale`, element by element; infinite when a value is no number. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>, scale: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    if (!Number.isFinite(error)) return Infinity;
    if (error > 0) largest = Math.max(largest, error / scale[i]);
  }
  return largest;
}
