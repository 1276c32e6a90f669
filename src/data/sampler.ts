/** Order in which samples are seen: a pure function of seed and epoch, so that resuming needs nothing but the position. */
import { PhiloxSequence } from '../processing/philox.ts';

/** Separates these random numbers from other uses of the same seed. */
const PURPOSE_SHUFFLE = 1;
const PURPOSE_SPLIT = 2;
const PURPOSE_SELECT = 3;

/** Random order of `count` samples in one epoch (from 0). */
export function epochOrder(count: number, seed: number, epoch: number): Uint32Array {
  return new PhiloxSequence(seed, epoch, PURPOSE_SHUFFLE).permutation(count);
}

/** Indices kept aside for validation, ascending: round(count × fraction), at least 1 and never all. */
export function validationIndices(count: number, fraction: number, seed: number): number[] {
  if (fraction <= 0 || count < 2) return [];
  const size = Math.min(count - 1, Math.max(1, Math.round(count * fraction)));
  return [...new PhiloxSequence(seed, 0, PURPOSE_SPLIT).permutation(count).subarray(0, size)].sort((a, b) => a - b);
}

/**
 * Indices of the samples a validation uses, ascending: the same ones every time.
 * @param limit 0 = all
 */
export function selectIndices(count: number, limit: number, selection: 'first' | 'random', seed: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (limit === 0 || limit >= count) return all;
  if (selection === 'first') return all.slice(0, limit);
  return [...new PhiloxSequence(seed, 0, PURPOSE_SELECT).permutation(count).subarray(0, limit)].sort((a, b) => a - b);
}
