/** What the horizontal axis of a run's charts can count, and where each row stands on it. Pure. */
import type { History, RunHistories } from './history.ts';

export type Axis = 'step' | 'epoch' | 'samples' | 'tokens' | 'relative' | 'wall';
export const ALL_AXES: readonly Axis[] = ['step', 'epoch', 'samples', 'tokens', 'relative', 'wall'];

/** Keys that hold a place on the axis, the first that is there wins. */
const KEYS: Readonly<Record<Exclude<Axis, 'step'>, readonly string[]>> = {
  epoch: ['epoch'],
  samples: ['samples'],
  tokens: ['num_tokens', 'num_input_tokens_seen', 'total_tokens'],
  relative: ['elapsed_s'],
  wall: ['time'],
};

/** One number per row; NaN where it is not known. */
export type Places = ArrayLike<number>;

/** The axes that a run's rows know. */
export function axesOf(run: RunHistories): Axis[] {
  const source = run.train.length > 0 ? run.train : run.validation;
  return ALL_AXES.filter((axis) => axis === 'step' || ownPlaces(source, axis) !== null);
}

/**
 * Where rows stand. A validation that does not know its own place stands where its step's training row does, or the last one
 * before it. Relative time is the log's own clock, else the time since the first row. Times are seconds.
 */
export function placesOf(run: RunHistories, axis: Axis): { train: Places; validation: Places } {
  if (axis === 'step') return { train: run.train.steps, validation: run.validation.steps };
  const train = ownPlaces(run.train, axis);
  const own = ownPlaces(run.validation, axis);
  const unknown = (history: History) => new Float64Array(history.length).fill(NaN);
  if (train === null) return { train: unknown(run.train), validation: own ?? unknown(run.validation) };
  const validation = Float64Array.from({ length: run.validation.length }, (_, i) => {
    const place = own ? own[i] : NaN;
    return Number.isNaN(place) || axis === 'relative' ? placeAt(run.train.steps, train, run.validation.steps[i]) : place;
  });
  return { train, validation };
}

function ownPlaces(history: History, axis: Exclude<Axis, 'step'>): Places | null {
  const found = KEYS[axis].map((key) => history.column(key)).find((column) => column !== undefined);
  if (!found) {
    const wall = axis === 'relative' ? ownPlaces(history, 'wall') : null;
    return wall && Float64Array.from(wall, (second) => second - wall[0]);
  }
  const places = new Float64Array(history.length).fill(NaN);
  let known = 0;
  for (let i = 0; i < found.values.length; i += 1) {
    const text = found.texts?.[i] ?? null;
    const value = axis === 'wall' ? moment(text, found.values[i]) : found.values[i];
    places[found.at ? found.at[i] : i] = value;
    if (!Number.isNaN(value)) known += 1;
  }
  return known > 0 ? places : null;
}

/** Seconds since 1970 of an ISO date or of a number of seconds. */
function moment(text: string | null, seconds: number): number {
  if (text !== null) return /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) / 1000 : NaN;
  return seconds > 1e8 && seconds < 1e11 ? seconds : NaN;
}

/** The place of the last row up to a step; of the first row for earlier steps the axis's beginning. */
function placeAt(steps: ArrayLike<number>, places: Places, step: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return places[Math.max(0, low - 1)];
}
