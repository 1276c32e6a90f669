/** Rows of a merged weight: W' = bf16(W + scale · B·A), summed in float64 and rounded once. */
import type { WeightSource } from './weight-source.ts';

/** One module's adapter. */
export interface LowRank {
  /** A [r, in], row-major */
  a: Float32Array;
  /** B [out, r], row-major */
  b: Float32Array;
  r: number;
  scale: number;
}

const value = new Float32Array(1);
const word = new Uint32Array(value.buffer);

/**
 * @param weights whole rows of W [out, in]
 * @param firstRow their place in W
 * @param lowRank null: the weights alone, rounded
 * @returns bf16 bits, nearest, ties to even
 */
export function mergeRows(weights: WeightSource, cols: number, firstRow: number, lowRank: LowRank | null): Uint16Array<ArrayBuffer> {
  const bits = new Uint16Array(weights.length);
  const sums = new Float64Array(cols);
  const isBf16 = weights instanceof Uint16Array;
  for (let start = 0, row = firstRow; start < weights.length; start += cols, row++) {
    if (isBf16) {
      for (let j = 0; j < cols; j++) {
        word[0] = weights[start + j] << 16;
        sums[j] = value[0];
      }
    } else {
      for (let j = 0; j < cols; j++) sums[j] = weights[start + j];
    }
    if (lowRank) addProduct(sums, row, lowRank);
    for (let j = 0; j < cols; j++) bits[start + j] = toBf16(sums[j]);
  }
  return bits;
}

/** sums += scale · B[row] · A; four rows of A at a time, since reading and writing the sums is what takes time. */
function addProduct(sums: Float64Array, row: number, { a, b, r, scale }: LowRank): void {
  const cols = sums.length;
  let k = 0;
  for (; k + 4 <= r; k += 4) {
    const [f0, f1, f2, f3] = [0, 1, 2, 3].map((i) => scale * b[row * r + k + i]);
    const [a0, a1, a2, a3] = [0, 1, 2, 3].map((i) => a.subarray((k + i) * cols, (k + i + 1) * cols));
    for (let j = 0; j < cols; j++) sums[j] += f0 * a0[j] + f1 * a1[j] + f2 * a2[j] + f3 * a3[j];
  }
  for (; k < r; k++) {
    const factor = scale * b[row * r + k];
    const rowOfA = a.subarray(k * cols, (k + 1) * cols);
    for (let j = 0; j < cols; j++) sums[j] += factor * rowOfA[j];
  }
}

/** Rounds a float64 to bf16 in one step: a float32 on the way must not make a tie of what is none. */
function toBf16(exact: number): number {
  value[0] = exact;
  const bits = word[0];
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  if ((bits & 0xffff) === 0x8000 && value[0] !== exact) return (bits >>> 16) + (Math.abs(exact) > Math.abs(value[0]) ? 1 : 0);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}
