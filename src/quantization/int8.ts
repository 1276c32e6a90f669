/** Weight-only int8: one scale per output row, symmetric (the weight side of LLM.int8, arXiv 2208.07339). */
import { invariant } from '../protocol/errors.ts';
import { absMaxOf, bitsReader, type WeightSource } from './weight-source.ts';

export interface Int8Weight {
  /** rows × cols, each in -127 … 127 */
  codes: Int8Array;
  /** Per row absmax / 127; value = code · scale. */
  scale: Float32Array;
}

/**
 * Quantises a row-major rows × cols weight; halves round to even.
 * @throws LorikeetError "not-finite" when a weight is NaN or infinite
 */
export function quantizeInt8(source: WeightSource, rows: number, cols: number): Int8Weight {
  invariant(source.length === rows * cols, `weight has ${source.length} values, expected ${rows} × ${cols}`);
  const codes = new Int8Array(rows * cols);
  const scale = new Float32Array(rows);
  const row = new Float32Array(cols);
  const readBits = bitsReader(source, row);
  for (let r = 0; r < rows; r++) {
    const start = r * cols;
    readBits(start, cols);
    const absmax = absMaxOf(row, cols, start);
    scale[r] = absmax / 127;
    if (absmax === 0) continue;
    const factor = 127 / absmax;
    for (let c = 0; c < cols; c++) codes[start + c] = roundHalfEven(row[c] * factor);
  }
  return { codes, scale };
}

/** Weights back as float32. */
export function dequantizeInt8({ codes, scale }: Int8Weight, rows: number, cols: number): Float32Array {
  const values = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) values[r * cols + c] = codes[r * cols + c] * scale[r];
  }
  return values;
}

/** Adding and taking away 1.5 · 2^52 leaves only whole numbers in a double, rounded half to even. */
function roundHalfEven(value: number): number {
  return value + 6755399441055744 - 6755399441055744;
}
