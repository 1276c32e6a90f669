/**
 * Weights that bitsandbytes quantised, put into our own packed form without quantising them again.
 * Its 4-bit bytes are ours; its scales may stand for larger blocks, which only repeats them in ours.
 */
import { invariant } from '../protocol/errors.ts';
import { dequantizeNf4, NF4_NESTED_BLOCK } from './nf4.ts';
import { NF4_BLOCK } from './nf4-code.ts';
import { assembleInt8, assembleNf4, type PackedInt8, type PackedNf4 } from './packed-weight.ts';

/** A 4-bit matrix [rows, cols] as bitsandbytes stores it. */
export interface BnbNf4 {
  rows: number;
  cols: number;
  /** ceil(rows · cols / 2) bytes, the first element in the high nibble */
  packed: Uint8Array;
  /** Elements that share a scale: 64 or a multiple of it. */
  blocksize: number;
}

/** Scales in 8-bit form: absmax[b] = map[codes[b]] · nestedAbsmax[b >> 8] + offset. */
export interface BnbNestedScales {
  codes: Uint8Array;
  map: Float32Array;
  nestedAbsmax: Float32Array;
  offset: number;
}

/** Number of scales of a matrix. */
export function bnbBlocks({ rows, cols, blocksize }: Pick<BnbNf4, 'rows' | 'cols' | 'blocksize'>): number {
  return Math.ceil((rows * cols) / blocksize);
}

/** Double-quantised NF4 in our packed form; every value stays what it is. */
export function packBnbNf4(weight: BnbNf4, scales: BnbNestedScales): PackedNf4 {
  const repeat = repeatOf(weight, scales.codes.length);
  const blocks = Math.ceil((weight.rows * weight.cols) / NF4_BLOCK);
  return assembleNf4(weight.rows, weight.cols, {
    packed: weight.packed,
    codes: repeated(scales.codes, repeat, blocks),
    nestedAbsmax: repeated(scales.nestedAbsmax, repeat, Math.ceil(blocks / NF4_NESTED_BLOCK)),
    offset: scales.offset,
    map: scales.map,
  });
}

/** NF4 with plain float32 scales as float32 values: our packed form knows double-quantised scales only. */
export function dequantizeBnbNf4(weight: BnbNf4, absmax: Float32Array): Float32Array {
  const repeat = repeatOf(weight, absmax.length);
  const length = weight.rows * weight.cols;
  return dequantizeNf4({ length, packed: weight.packed, absmax: repeated(absmax, repeat, Math.ceil(length / NF4_BLOCK)) });
}

/** LLM.int8's weight and its absolute maximum per row; value = code · scb / 127. */
export function packBnbInt8(rows: number, cols: number, codes: Int8Array, scb: Float32Array): PackedInt8 {
  return assembleInt8(rows, cols, codes, scb.map((value) => value / 127));
}

function repeatOf(weight: BnbNf4, scales: number): number {
  invariant(weight.blocksize % NF4_BLOCK === 0, `a block of ${weight.blocksize} is no multiple of ${NF4_BLOCK}`);
  invariant(scales === bnbBlocks(weight), `${scales} scales for a matrix of ${weight.rows} × ${weight.cols} in blocks of ${weight.blocksize}`);
  return weight.blocksize / NF4_BLOCK;
}

/** Each value `times` times over, cut to `length`. */
function repeated<Values extends Uint8Array | Float32Array>(values: Values, times: number, length: number): Values {
  if (times === 1) return values;
  const result = new (values.constructor as new (length: number) => Values)(length);
  for (let i = 0; i < length; i++) result[i] = values[Math.floor(i / times)];
  return result;
}
