/**
 * 4-bit NormalFloat with double-quantised scales, bit-compatible with bitsandbytes (QLoRA, arXiv 2305.14314).
 * Blocks run over the flattened row-major weight; two codes per byte, the first in the high nibble.
 */
import { invariant } from '../protocol/errors.ts';
import { cascadeSum } from './cascade-sum.ts';
import { dynamicCodeOf, dynamicMap } from './dynamic-map.ts';
import { quantizeBlocks } from './nf4-blocks.ts';
import { codeOf, NF4_BLOCK, NF4_CODE, reciprocalOf, SMALLEST_SCALE } from './nf4-code.ts';
import { absMaxOf, bitsReader, type WeightSource } from './weight-source.ts';

/** Scales that share one nested scale. */
export const NF4_NESTED_BLOCK = 256;

/** Codes and plain float32 scales. */
export interface Nf4Plain {
  /** Number of weights. */
  length: number;
  /** ceil(length / 2) bytes */
  packed: Uint8Array;
  /** ceil(length / 64) */
  absmax: Float32Array;
}

/** Scales stored as 8-bit codes: absmax[b] = dynamicMap[codes[b]] · nestedAbsmax[b >> 8] + offset. */
export interface Nf4NestedScales {
  /** ceil(length / 64) */
  codes: Uint8Array;
  /** ceil(codes / 256) */
  nestedAbsmax: Float32Array;
  offset: number;
}

/**
 * Quantises a flattened weight; a code is the number of thresholds strictly below value · (1 / absmax) in float32.
 * @param packed gets the codes
 * @throws LorikeetError "not-finite" when a weight is NaN or infinite
 */
export function quantizeNf4(source: WeightSource, packed: Uint8Array = new Uint8Array(Math.ceil(source.length / 2))): Nf4Plain {
  const length = source.length;
  const absmax = new Float32Array(Math.ceil(length / NF4_BLOCK));
  const left = source instanceof Uint16Array ? quantizeBlocks(source, packed, absmax) : absmax.keys();
  const block = new Float32Array(NF4_BLOCK);
  const readBits = bitsReader(source, block);
  for (const b of left) {
    const start = b * NF4_BLOCK;
    const count = Math.min(NF4_BLOCK, length - start);
    readBits(start, count);
    const scale = absMaxOf(block, count, start);
    absmax[b] = scale;
    const reciprocal = reciprocalOf(scale);
    // An odd tail is filled with zero, whose code is what bitsandbytes stores there.
    if (count & 1) block[count] = 0;
    for (let i = 0, out = start >> 1; i < count; i += 2) packed[out++] = (codeOf(block[i], reciprocal) << 4) | codeOf(block[i + 1], reciprocal);
  }
  return { length, packed, absmax };
}

/** Quantises the scales of quantizeNf4: their float32 mean is taken off, the rest stored in the dynamic code. */
export function quantizeScales(absmax: Float32Array): Nf4NestedScales {
  const offset = absmax.length ? Math.fround(cascadeSum(absmax) / absmax.length) : 0;
  const codes = new Uint8Array(absmax.length);
  const nestedAbsmax = new Float32Array(Math.ceil(absmax.length / NF4_NESTED_BLOCK));
  for (let n = 0; n < nestedAbsmax.length; n++) {
    const start = n * NF4_NESTED_BLOCK;
    const end = Math.min(absmax.length, start + NF4_NESTED_BLOCK);
    let scale = 0;
    for (let b = start; b < end; b++) scale = Math.max(scale, Math.abs(Math.fround(absmax[b] - offset)));
    nestedAbsmax[n] = scale;
    const reciprocal = Math.fround(1 / Math.max(scale, SMALLEST_SCALE));
    for (let b = start; b < end; b++) {
      codes[b] = dynamicCodeOf(Math.min(1, Math.max(-1, Math.fround(Math.fround(absmax[b] - offset) * reciprocal))));
    }
  }
  return { codes, nestedAbsmax, offset };
}

/** Float32 scales from their 8-bit form. */
export function dequantizeScales(scales: Nf4NestedScales, map: Float32Array = dynamicMap()): Float32Array {
  const absmax = new Float32Array(scales.codes.length);
  for (let b = 0; b < absmax.length; b++) {
    absmax[b] = Math.fround(map[scales.codes[b]] * scales.nestedAbsmax[b >> 8]) + scales.offset;
  }
  return absmax;
}

/** Weights back as float32: code value · scale of the block. */
export function dequantizeNf4({ length, packed, absmax }: Nf4Plain): Float32Array {
  invariant(packed.length * 2 >= length && absmax.length * NF4_BLOCK >= length, 'NF4 parts are shorter than the weight');
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const byte = packed[i >> 1];
    values[i] = NF4_CODE[i & 1 ? byte & 15 : byte >> 4] * absmax[i >> 6];
  }
  return values;
}
