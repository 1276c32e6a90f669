/** Runs that belong together, and what they show in common. Pure. */
import type { SettingRow } from '../../reports/compare.ts';
import { lowerBound, type Series } from '../analysis/series.ts';

/** Settings that say which run it is, not how it was made. */
const OWN_TO_A_RUN = /^(?:seed|data_seed|output_dir|logging_dir|run_name|run_id|name)$/;

export type Grouping = { kind: 'none' } | { kind: 'seeds' } | { kind: 'setting'; setting: string };

export interface RunGroup {
  /** Value of the setting, or the first run's name. */
  label: string;
  /** Positions of the runs. */
  members: number[];
}

/** Puts runs together whose settings agree: in one setting, or in everything but the seed and the run's own names. */
export function groupRuns(names: readonly string[], settings: readonly SettingRow[], by: Grouping): RunGroup[] {
  if (by.kind === 'none') return names.map((label, i) => ({ label, members: [i] }));
  const counted = settings.filter(({ setting }) => (by.kind === 'setting' ? setting === by.setting : !OWN_TO_A_RUN.test(setting)));
  const groups = new Map<string, RunGroup>();
  names.forEach((name, i) => {
    const key = JSON.stringify(counted.map(({ values }) => values[i]));
    const group = groups.get(key);
    if (group) group.members.push(i);
    else groups.set(key, { label: by.kind === 'setting' ? `${by.setting} = ${counted[0]?.values[i] ?? '–'}` : name, members: [i] });
  });
  return [...groups.values()];
}

/** Places of a mean; more would not be seen. */
const MOST_PLACES = 4000;

/**
 * Mean, lowest and highest of several lines: at every place where one of them has a value, each line interpolated inside its
 * own range and left out beyond it.
 */
export function meanAndRange(lines: readonly Series[]): { series: Series; low: (number | null)[]; high: (number | null)[] } {
  const whole = lines.map(withoutGaps).filter(({ at }) => at.length > 0);
  let at = [...new Set(whole.flatMap((line) => line.at))].sort((a, b) => a - b);
  if (at.length > MOST_PLACES) {
    const [from, to] = [at[0], at[at.length - 1]];
    at = Array.from({ length: MOST_PLACES }, (_, i) => from + ((to - from) * i) / (MOST_PLACES - 1));
  }
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  const values = at.map((place) => {
    const here = whole.map((line) => interpolate(line, place)).filter((value) => value !== null);
    low.push(here.length > 0 ? Math.min(...here) : null);
    high.push(here.length > 0 ? Math.max(...here) : null);
    return here.length > 0 ? here.reduce((sum, value) => sum + value, 0) / here.length : null;
  });
  return { series: { at, values }, low, high };
}

interface Whole {
  at: number[];
  values: number[];
}

function withoutGaps({ at, values }: Series): Whole {
  const whole: Whole = { at: [], values: [] };
  values.forEach((value, i) => {
    if (value === null) return;
    whole.at.push(at[i]);
    whole.values.push(value);
  });
  return whole;
}

function interpolate({ at, values }: Whole, place: number): number | null {
  const after = lowerBound(at, place);
  if (after === at.length) return null;
  if (at[after] === place) return values[after];
  if (after === 0) return null;
  const share = (place - at[after - 1]) / (at[after] - at[after - 1]);
  return values[after - 1] + share * (values[after] - values[after - 1]);
}
