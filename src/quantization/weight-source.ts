import { LorikeetError } from '../protocol/errors.ts';

/** Weights as they come from a file: float32 values, or bf16 as raw 16-bit patterns. */
export type WeightSource = Float32Array | Uint16Array;

/**
 * Returns a function that copies `count` weights from `start` on into `target`.
 * One closure per matrix instead of one branch per weight.
 */
export function bitsReader(source: WeightSource, target: Float32Array): (start: number, count: number) => void {
  const words = new Uint32Array(target.buffer, target.byteOffset, target.length);
  if (source instanceof Uint16Array) {
    return (start, count) => {
      for (let i = 0; i < count; i++) words[i] = source[start + i] << 16;
    };
  }
  return (start, count) => {
    for (let i = 0; i < count; i++) target[i] = source[start + i];
  };
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/**
 * Largest magnitude of the first `count` values.
 * @throws LorikeetError "not-finite" when one is NaN or infinite, counted from `start` in the message
 */
export function absMaxOf(values: Float32Array, count: number, start: number): number {
  const words = new Uint32Array(values.buffer, values.byteOffset, count);
  // Magnitudes of floats order like their bit patterns, and NaN sorts above infinity: one pass finds both.
  let largest = 0;
  for (let i = 0; i < count; i++) {
    const magnitude = words[i] & 0x7fffffff;
    if (magnitude > largest) largest = magnitude;
  }
  if (largest >= 0x7f800000) {
    const at = values.findIndex((value) => !Number.isFinite(value));
    throw new LorikeetError('not-finite', `Weight ${start + at} is ${values[at]}, expected a finite number.`, 'The model file is damaged: download it again.');
  }
  scratchBits[0] = largest;
  return scratch[0];
}
