/** What the charts draw, computed from log rows. Pure. */
import type { LogRow } from './axis.ts';

/** One line of a chart: values by their place on the horizontal axis. */
export interface Points {
  at: number[];
  values: number[];
}

/**
 * Debiased exponential moving average: m ← w·m + (1 − w)·y, shown as m / (1 − wⁿ), so that the start is not pulled to zero.
 * Values that are not finite leave the average as it was and come back as null.
 * @param weight smoothing in [0, 1); 0 returns the values themselves
 */
export function debiasedEma(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return values.map((value) => (value !== null && Number.isFinite(value) ? value : null));
  const w = Math.min(weight, 0.999);
  let average = 0;
  let correction = 1;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    average = w * average + (1 - w) * value;
    correction *= w;
    return average / (1 - correction);
  });
}

/** Picks one metric out of log rows; rows without it are left out. */
export function pointsOf<Row extends LogRow>(rows: readonly Row[], metric: string, placeOf: (row: Row) => number): Points {
  const points: Points = { at: [], values: [] };
  for (const row of rows) {
    const value = row[metric];
    if (typeof value !== 'number' || !Number.isFinite(value)) continue;
    points.at.push(placeOf(row));
    points.values.push(value);
  }
  return points;
}

/** Puts several lines, each with ascending places, over one shared x axis; null where a line has no point. */
export function alignSeries(lines: readonly { at: readonly number[]; values: readonly (number | null)[] }[]): {
  x: number[];
  ys: (number | null)[][];
} {
  const x: number[] = [];
  const ys: (number | null)[][] = lines.map(() => []);
  const next = lines.map(() => 0);
  for (;;) {
    let place = Infinity;
    lines.forEach((line, l) => {
      if (next[l] < line.at.length && line.at[next[l]] < place) place = line.at[next[l]];
    });
    if (place === Infinity) return { x, ys };
    x.push(place);
    lines.forEach((line, l) => {
      let value: number | null = null;
      while (next[l] < line.at.length && line.at[next[l]] === place) value = line.values[next[l]++];
      ys[l].push(value);
    });
  }
}

/** For a log axis: values that have no logarithm become gaps. */
export function positiveOnly(values: readonly (number | null)[]): (number | null)[] {
  return values.map((value) => (value !== null && value > 0 ? value : null));
}

/** Range of what is drawn with a little air; null when there is nothing. */
export function paddedRange(columns: readonly (readonly (number | null)[])[], log: boolean): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const column of columns) {
    for (const value of column) {
      if (value === null || (log && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return null;
  if (log) return low === high ? [low / 2, high * 2] : [low / 1.15, high * 1.15];
  const air = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  const floor = low >= 0 && low - air < 0 ? 0 : low - air;
  return [floor, high + air];
}

/** Round values for a logarithmic axis: 1, 2, 5 per power of ten, more of them where the range is short. */
export function logTicks(low: number, high: number): number[] {
  if (!(low > 0) || !(high > low)) return [];
  const inside = (mantissas: readonly number[]): number[] => {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
      for (const mantissa of mantissas) {
        const tick = Number(`${mantissa}e${power}`);
        if (tick >= low && tick <= high) ticks.push(tick);
      }
    }
    return ticks;
  };
  if (high / low > 2e3) return inside([1]);
  const choices = [[1, 2, 5], [1, 2, 3, 5, 7], [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]].map(inside);
  return choices.find((ticks) => ticks.length >= 3) ?? choices[choices.length - 1];
}

/** Position of the entry of an ascending axis that lies nearest to a place. */
export function nearest(x: readonly number[], place: number): number {
  let low = 0;
  let high = x.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] <= place) low = middle;
    else high = middle;
  }
  return place - x[low] <= x[high] - place ? low : high;
}

/** The value at a position, or the nearest earlier one of a sparse line. */
export function lastValue(column: readonly (number | null)[], position: number): number | null {
  for (let i = position; i >= 0; i -= 1) if (column[i] !== null) return column[i];
  return null;
}
