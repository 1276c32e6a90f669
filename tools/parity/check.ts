/** One comparison of ours with the reference. Pure: used in the page and at the terminal. */

/** What the tolerance limits. */
export type Measure =
  /** Largest absolute difference. */
  | 'abs'
  /** Largest difference relative to max(1, |expected|). */
  | 'rel'
  /** ‖actual − expected‖₂ / ‖expected‖₂ of the whole tensor. */
  | 'relL2'
  /** Every element equal; tolerance 0. */
  | 'exact';

export interface CheckResult {
  /** Path-like: "forward/one_image/logits". */
  name: string;
  maxAbs: number;
  maxRel: number;
  measure: Measure;
  /** The value that is compared with the tolerance. */
  value: number;
  tolerance: number;
  ok: boolean;
  /** Where the worst element is, or why nothing could be compared. */
  note?: string;
}

export interface Limit {
  measure: Measure;
  tolerance: number;
}

/** Every element equal. */
export const EXACT: Limit = { measure: 'exact', tolerance: 0 };

/** A check that could not even be computed. */
export function failed(name: string, note: string): CheckResult {
  return { name, maxAbs: NaN, maxRel: NaN, measure: 'exact', value: NaN, tolerance: 0, ok: false, note };
}

/**
 * Compares two lists of numbers element by element; other lengths and values that are not finite fail.
 * @param actual ours
 * @param expected the reference's
 */
export function compare(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, limit: Limit): CheckResult {
  if (actual.length !== expected.length) return failed(name, `expected ${expected.length} values, got ${actual.length}`);
  if (expected.length === 0) return failed(name, 'there is nothing to compare');
  let maxAbs = 0;
  let maxRel = 0;
  let worst = 0;
  let unequal = 0;
  let difference2 = 0;
  let expected2 = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!Number.isFinite(difference)) return failed(name, `element ${i}: expected ${expected[i]}, got ${actual[i]}`);
    if (difference > maxAbs) {
      maxAbs = difference;
      worst = i;
    }
    if (difference !== 0) unequal++;
    maxRel = Math.max(maxRel, difference / Math.max(1, Math.abs(expected[i])));
    difference2 += difference * difference;
    expected2 += expected[i] * expected[i];
  }
  const relL2 = expected2 > 0 ? Math.sqrt(difference2 / expected2) : Math.sqrt(difference2);
  const value = { abs: maxAbs, rel: maxRel, relL2, exact: unequal }[limit.measure];
  const ok = value <= limit.tolerance;
  const note = ok ? undefined : `worst at ${worst}: expected ${expected[worst]}, got ${actual[worst]}${limit.measure === 'exact' ? `; ${unequal} of ${expected.length} differ` : ''}`;
  return { name, maxAbs, maxRel, measure: limit.measure, value, tolerance: limit.tolerance, ok, note };
}

/** Compares two texts for equality; the difference's place is the note. */
export function compareText(name: string, actual: string, expected: string): CheckResult {
  const ok = actual === expected;
  let place = 0;
  while (!ok && place < actual.length && actual[place] === expected[place]) place++;
  const near = (text: string) => JSON.stringify(text.slice(Math.max(0, place - 10), place + 20));
  const distance = ok ? 0 : 1;
  return { name, maxAbs: distance, maxRel: distance, measure: 'exact', value: distance, tolerance: 0, ok, note: ok ? undefined : `at ${place}: expected ${near(expected)}, got ${near(actual)}` };
}

const number = (value: number) => (Number.isNaN(value) ? 'nan' : value === 0 ? '0' : value.toExponential(2));

/** One line per check: verdict, name, errors, tolerance. */
export function formatCheck(check: CheckResult, nameWidth: number): string {
  const limit = check.measure === 'exact' ? 'exact' : `${check.measure} ${number(check.value)} <= ${number(check.tolerance)}`;
  const line = `${check.ok ? 'ok  ' : 'FAIL'}  ${check.name.padEnd(nameWidth)}  max abs ${number(check.maxAbs).padEnd(9)}  max rel ${number(check.maxRel).padEnd(9)}  ${limit}`;
  return check.note ? `${line}  (${check.note})` : line;
}

/** "12 checks: 11 ok, 1 FAIL". */
export function formatVerdict(checks: readonly CheckResult[]): string {
  const bad = checks.filter((check) => !check.ok).length;
  return `${checks.length} checks: ${checks.length - bad} ok, ${bad} FAIL`;
}
