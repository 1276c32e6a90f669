/**
 * 4-bit NormalFloat with double-quantised scales, bit-compatible with bitsandbytes (QLoRA, arXiv 2305.14314).
 * Blocks run over the flattened row-major weight; two codes per byte, the first in the high nibble.
 */
import { invariant } from '../protocol/errors.ts';
import { bf16ToFloat32 } from './bf16.ts';
import { cascadeSum } from './cascade-sum.ts';
import { countBelow, dynamicMap, midpoints } from './dynamic-map.ts';
import { absMaxOf, bitsReader, type WeightSource } from './weight-source.ts';

/** Elements that share one scale. */
export const NF4_BLOCK = 64;
/** Scales that share one nested scale. */
export const NF4_NESTED_BLOCK = 256;

/** The 16 values of the NF4 code. */
export const NF4_CODE = Float32Array.of(
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
);

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

/** Half way between neighbours of the code. */
export const CODE_THRESHOLDS = midpoints(NF4_CODE);
/** Below this a reciprocal would overflow float32. */
const SMALLEST_SCALE = Math.fround(1e-38);

/**
 * [-1, 1] cut into cells of 1/32, narrower than the narrowest gap between thresholds, so each cell holds at most one:
 * a code is the cell's count of lower thresholds plus one comparison.
 */
const CELLS = 67;
const CELL_CODE = new Uint8Array(CELLS);
const CELL_THRESHOLD = new Float32Array(CELLS).fill(Infinity);
for (let cell = 0; cell < CELLS; cell++) {
  for (const threshold of CODE_THRESHOLDS) {
    const home = ((threshold + 1) * 32) | 0;
    if (home < cell) CELL_CODE[cell]++;
    else if (home === cell) CELL_THRESHOLD[cell] = threshold;
  }
}

/** What a block's weights are multiplied with, in float32. */
export function reciprocalOf(scale: number): number {
  return Math.fround(1 / (scale < SMALLEST_SCALE ? SMALLEST_SCALE : scale));
}

/** Number of thresholds strictly below a weight divided by its block's scale. */
function codeOf(weight: number, reciprocal: number): number {
  const value = Math.fround(weight * reciprocal);
  const cell = ((value + 1) * 32) | 0;
  return CELL_CODE[cell] + (value > CELL_THRESHOLD[cell] ? 1 : 0);
}

/**
 * Quantises a flattened weight; a code is the number of thresholds strictly below value · (1 / absmax) in float32.
 * @throws LorikeetError "not-finite" when a weight is NaN or infinite
 */
export function quantizeNf4(source: WeightSource): Nf4Plain {
  const length = source.length;
  const absmax = new Float32Array(Math.ceil(length / NF4_BLOCK));
  const packed = new Uint8Array(Math.ceil(length / 2));
  const left = source instanceof Uint16Array ? quantizeByTable(source, packed, absmax) : absmax.keys();
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

/** Bits of a bf16's fraction, and its bits without the sign. */
const FRACTION_BITS = 7;
const MAGNITUDE = 0x7fff;
/** Powers of two that a table reaches below the scale's own: what is smaller has the code of what is smallest in it, that of zero. */
const DEPTH = 6;
/** Entries of a table for weights of one sign, as a power of two. */
const HALF_TABLE_BITS = 10;
/** Exponent bits of scales whose reciprocal, and whose weights within reach, are normal numbers: there a power of two changes no digit. */
const LOWEST_EXPONENT = DEPTH + 2;
const HIGHEST_EXPONENT = 250;

/**
 * The same for whole blocks of bf16 without arithmetic: for scales of one fraction a code depends only on how far the weight's
 * bits lie from the scale's power of two.
 * @returns blocks that are left to others: a part at the end, scales at the ends of the range, what is not finite
 */
function quantizeByTable(source: Uint16Array, packed: Uint8Array, absmax: Float32Array): number[] {
  const scales = new Uint32Array(absmax.buffer);
  const whole = Math.floor(source.length / NF4_BLOCK);
  const left: number[] = [];
  for (let b = 0; b < whole; b++) {
    const start = b * NF4_BLOCK;
    const end = start + NF4_BLOCK;
    let largest = 0;
    for (let i = start; i < end; i++) {
      const magnitude = source[i] & MAGNITUDE;
      if (magnitude > largest) largest = magnitude;
    }
    const exponent = largest >> FRACTION_BITS;
    if (exponent < LOWEST_EXPONENT || exponent > HIGHEST_EXPONENT) {
      left.push(b);
      continue;
    }
    scales[b] = largest << 16;
    const table = tableOf(largest & ((1 << FRACTION_BITS) - 1));
    const least = (exponent - DEPTH) << FRACTION_BITS;
    let out = start >> 1;
    for (let i = start; i < end; i += 2) {
      const first = source[i];
      const second = source[i + 1];
      const high = Math.max(0, (first & MAGNITUDE) - least) | ((first >> 15) << HALF_TABLE_BITS);
      const low = Math.max(0, (second & MAGNITUDE) - least) | ((second >> 15) << HALF_TABLE_BITS);
      packed[out++] = (table[high] << 4) | table[low];
    }
  }
  for (let b = whole; b < absmax.length; b++) left.push(b);
  return left;
}

const tables: (Uint8Array | undefined)[] = [];

/** Codes of all weights within reach of a scale with this fraction; those below zero in the second half. */
function tableOf(fraction: number): Uint8Array {
  return (tables[fraction] ??= makeTable(fraction));
}

function makeTable(fraction: number): Uint8Array {
  const table = new Uint8Array(2 << HALF_TABLE_BITS);
  const one = 127 << FRACTION_BITS;
  const [scale, ...weights] = bf16ToFloat32(Uint16Array.from({ length: 1 + (DEPTH << FRACTION_BITS) + fraction + 1 }, (_, i) => (i === 0 ? one + fraction : one - (DEPTH << FRACTION_BITS) + i - 1)));
  const reciprocal = reciprocalOf(scale);
  weights.forEach((weight, i) => {
    table[i] = codeOf(weight, reciprocal);
    table[(1 << HALF_TABLE_BITS) + i] = codeOf(-weight, reciprocal);
  });
  return table;
}

/** Quantises the scales of quantizeNf4: their float32 mean is taken off, the rest stored in the dynamic code. */
export function quantizeScales(absmax: Float32Array): Nf4NestedScales {
  const offset = absmax.length ? Math.fround(cascadeSum(absmax) / absmax.length) : 0;
  const thresholds = midpoints(dynamicMap());
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
      codes[b] = countBelow(thresholds, Math.min(1, Math.max(-1, Math.fround(Math.fround(absmax[b] - offset) * reciprocal))));
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
