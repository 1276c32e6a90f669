/** Codes of bf16 weights eight at a time, by WebAssembly: a tenth of the time that JavaScript takes, and the same codes. */
import { NF4_BLOCKS } from './nf4-blocks-binary.ts';
import { bf16ToFloat32 } from './bf16.ts';
import { codeOf, NF4_BLOCK, reciprocalOf } from './nf4-code.ts';

const FRACTIONS = 128;
const FRACTION_BITS = 7;
/** Of scales whose reciprocal, and whose thresholds, are normal numbers: there a power of two changes no digit. */
const LOWEST_EXPONENT = 8;
const HIGHEST_EXPONENT = 250;
/** The exponent bits for which thresholds are listed. */
const LISTED_EXPONENT = 127;
/** A scale that stands for a block left to others. */
const LEFT = 0xffffffff;

/** Blocks quantised at once, and where their parts lie in the memory, in bytes: 32 of thresholds a fraction come first. */
const AT_ONCE = 512;
const SCALES = 32 * FRACTIONS;
const CODES = SCALES + 4 * AT_ONCE;
const WEIGHTS = CODES + (NF4_BLOCK / 2) * AT_ONCE;

interface Blocks {
  memory: ArrayBuffer;
  quantize(weights: number, blocks: number, tables: number, codes: number, scales: number, lowest: number, highest: number): void;
}

let instance: Blocks | null = null;

/**
 * Quantises whole blocks of bf16.
 * @param source bf16 bits
 * @param packed two codes a byte, filled in
 * @param absmax scale of each block, filled in
 * @returns blocks that are left to others: a part at the end, scales at the ends of the range, what is not finite
 */
export function quantizeBlocks(source: Uint16Array, packed: Uint8Array, absmax: Float32Array): number[] {
  const { memory, quantize } = (instance ??= instantiate());
  const scales = new Uint32Array(absmax.buffer, absmax.byteOffset, absmax.length);
  const whole = Math.floor(source.length / NF4_BLOCK);
  const left: number[] = [];
  for (let first = 0; first < whole; first += AT_ONCE) {
    const count = Math.min(AT_ONCE, whole - first);
    new Uint16Array(memory, WEIGHTS).set(source.subarray(first * NF4_BLOCK, (first + count) * NF4_BLOCK));
    quantize(WEIGHTS, count, 0, CODES, SCALES, LOWEST_EXPONENT, HIGHEST_EXPONENT);
    packed.set(new Uint8Array(memory, CODES, (count * NF4_BLOCK) / 2), (first * NF4_BLOCK) / 2);
    const found = new Uint32Array(memory, SCALES, count);
    for (let i = 0; i < count; i++) {
      if (found[i] === LEFT) left.push(first + i);
      else scales[first + i] = found[i];
    }
  }
  for (let b = whole; b < absmax.length; b++) left.push(b);
  return left;
}

function instantiate(): Blocks {
  const module = new WebAssembly.Module(Uint8Array.from(atob(NF4_BLOCKS), (letter) => letter.charCodeAt(0)));
  const { memory, quantize } = new WebAssembly.Instance(module).exports as { memory: WebAssembly.Memory; quantize: Blocks['quantize'] };
  const tables = new Int16Array(memory.buffer, 0, SCALES / 2);
  for (let fraction = 0; fraction < FRACTIONS; fraction++) tables.set(thresholdsOf(fraction), 16 * fraction);
  return { memory: memory.buffer, quantize };
}

/**
 * For a scale of this fraction, the largest weights that have no more than each code, as signed magnitudes of bf16: eight from zero
 * upwards, and seven below it.
 */
function thresholdsOf(fraction: number): number[] {
  const scale = (LISTED_EXPONENT << FRACTION_BITS) | fraction;
  const reciprocal = reciprocalOf(valueOf(scale));
  const code = (magnitude: number, sign: 1 | -1) => codeOf(sign * valueOf(magnitude), reciprocal);
  /** The first magnitude up to the scale's own for which it holds; those after it hold too. */
  const first = (holds: (magnitude: number) => boolean) => {
    let [low, high] = [0, scale];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  const above = [7, 8, 9, 10, 11, 12, 13, 14].map((most) => first((magnitude) => code(magnitude, 1) > most) - 1);
  const below = [0, 1, 2, 3, 4, 5, 6].map((most) => -first((magnitude) => code(magnitude, -1) <= most));
  return [...above, ...below];
}

const valueOf = (magnitude: number) => bf16ToFloat32(Uint16Array.of(magnitude))[0];
