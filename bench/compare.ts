/** Guards: what is timed must first be right. */

/**
 * @param tolerance largest difference allowed, relative to the largest value expected
 * @throws Error naming what is wrong and by how much
 */
export function checkEqual(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  if (actual.length !== expected.length) throw new Error(`${name} has ${actual.length} values, expected ${expected.length}`);
  let size = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    size = Math.max(size, Math.abs(expected[i]));
    const distance = Math.abs(actual[i] - expected[i]);
    difference = Math.max(difference, Number.isNaN(distance) ? Infinity : distance);
  }
  if (size === 0) throw new Error(`${name}: all expected values are zero, which would hide anything`);
  if (difference > tolerance * size) throw new Error(`${name} is wrong: difference ${difference} at a size of ${size}`);
}

/** Deterministic values in (-1, 1). */
export function values(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
