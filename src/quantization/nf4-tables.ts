/** Codes of bf16 weights looked up instead of computed: the same codes, in half the time. */
import { bf16ToFloat32 } from './bf16.ts';
import { codeOf, NF4_BLOCK, reciprocalOf } from './nf4-code.ts';

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
 * Quantises whole blocks of bf16. For scales of one fraction a code depends only on how far the weight's bits lie from the
 * scale's power of two.
 * @param source bf16 bits
 * @param packed two codes a byte, filled in
 * @param absmax scale of each block, filled in
 * @returns blocks that are left to others: a part at the end, scales at the ends of the range, what is not finite
 */
export function quantizeByTable(source: Uint16Array, packed: Uint8Array, absmax: Float32Array): number[] {
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
