/**
 * Philox4x32-10: random numbers as a pure function of (counter, key), after Salmon et al., "Parallel random numbers:
 * as easy as 1, 2, 3" (SC 2011). Nothing to store or restore: the same counter always gives the same words.
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the unsigned 64-bit product. */
function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/**
 * Four unsigned 32-bit random words.
 * @param counter four unsigned 32-bit words
 * @param key two unsigned 32-bit words
 */
export function philox4x32(counter: readonly [number, number, number, number], key: readonly [number, number]): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0);
    const low0 = Math.imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2);
    const low1 = Math.imul(M1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** An endless sequence of words drawn from counters (0, 0, stream), (1, 0, stream), … under one seed. */
export class PhiloxSequence {
  private block = 0;
  private words: readonly number[] = [];
  private used = 0;

  /**
   * @param seed unsigned 32-bit
   * @param stream separates sequences with the same seed, e.g. epochs (unsigned 32-bit)
   * @param purpose separates uses with the same seed and stream (unsigned 32-bit)
   */
  constructor(
    private readonly seed: number,
    private readonly stream: number,
    private readonly purpose: number,
  ) {}

  /** Next unsigned 32-bit word. */
  next(): number {
    if (this.used === this.words.length) {
      this.words = philox4x32([this.block++, 0, this.stream >>> 0, this.purpose >>> 0], [this.seed >>> 0, 0]);
      this.used = 0;
    }
    return this.words[this.used++];
  }

  /** Uniform integer in [0, bound), without bias; bound ≤ 2³². */
  below(bound: number): number {
    const limit = Math.floor(4294967296 / bound) * bound;
    let word = this.next();
    while (word >= limit) word = this.next();
    return word % bound;
  }

  /** Random order of 0 … count − 1 (Fisher–Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const kept = order[i];
      order[i] = order[j];
      order[j] = kept;
    }
    return order;
  }
}
