/** Samples by how badly a candidate answered them, and those that a filter lets through. */
import { classKey } from '../objectives/evaluation/read-sample.ts';
import type { Fault, ObjectSize } from '../objectives/evaluation/faults.ts';
import type { MeasuredSet } from './measure-set.ts';

export interface SampleFilter {
  /** As the classes are spelt; null = all. */
  className: string | null;
  size: ObjectSize | null;
  fault: Fault | null;
}

export const NO_FILTER: SampleFilter = { className: null, size: null, fault: null };

/**
 * Positions in `samples`, the worst answers of `candidate` first; samples without truth last.
 * @param filter on what that candidate said
 */
export function worstFirst({ samples, evaluations }: MeasuredSet, candidate: number, { className, size, fault }: SampleFilter = NO_FILTER): number[] {
  const results = evaluations[candidate].samples;
  const wanted = className === null ? null : classKey(className);
  return samples
    .map((_, i) => i)
    .filter((i) => (wanted === null || results[i].classes.includes(wanted)) && (size === null || results[i].sizes.includes(size)) && (fault === null || results[i].faults.includes(fault)))
    .sort((a, b) => (results[a].quality ?? 2) - (results[b].quality ?? 2) || a - b);
}
