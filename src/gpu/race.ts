/** Which of several ways to compute the same is fastest on this device: proven right first, then timed in turns. */
import type { Stopwatch } from './stopwatch.ts';

export interface Contestant {
  readonly name: string;
  /** Records the work once, at a size worth timing. */
  readonly run: () => void;
  /** Results on small data of odd sizes; null when the device refuses to run it. */
  readonly results: () => Promise<readonly Float32Array[] | null>;
}

export interface Contest {
  /** In the order of their table; the last is the plain one, whose results are right. */
  readonly contestants: readonly Contestant[];
  /** Name of the one that is taken without a race. */
  readonly byDefault: string;
  /** By how much results may differ, relative to the largest of their array. */
  readonly tolerance: number;
}

export interface Verdict {
  winner: string;
  milliseconds: number;
}

export interface RaceTerms {
  stopwatch: Stopwatch;
  /** Milliseconds; asked for how long a contest has lasted. */
  now: () => number;
  /** Asked before each contestant; the race ends without a verdict once it says so. */
  ended: () => boolean;
}

/** Another than the default has to be faster by this share: below it, chance decides. */
const WORTH_WHILE = 0.03;
/** Readings of each, of which the median counts. */
const ROUNDS = 5;
/** So much slower than the fastest so far, and further readings change nothing. */
const HOPELESS = 2.5;
/** Work that a GPU is kept at before anything is timed: an idle one runs at a fraction of its clock. */
const WARM_UP_MS = 50;

/**
 * Runs one contest.
 * @returns null when it was ended before, and when nothing but the default can run
 * @throws what compiling or running a contestant throws
 */
export async function race({ contestants, byDefault, tolerance }: Contest, { stopwatch, now, ended }: RaceTerms): Promise<Verdict | null> {
  if (contestants.length < 2) return null;
  const right = contestants[contestants.length - 1];
  const expected = await right.results();
  if (!expected) return null;
  const proven: Contestant[] = [];
  for (const contestant of contestants) {
    if (ended()) return null;
    const results = contestant === right ? expected : await contestant.results();
    if (results && difference(results, expected) <= tolerance) proven.push(contestant);
  }
  const usualOne = proven.find(({ name }) => name === byDefault) ?? right;
  for (const start = now(); now() - start < WARM_UP_MS; ) await stopwatch.time(usualOne.run, Infinity);
  const field: { contestant: Contestant; about: number; readings: number[] }[] = [];
  for (const contestant of proven) {
    if (ended()) return null;
    // The first run at this size may compile; the second gives an idea.
    await stopwatch.time(contestant.run, Infinity);
    field.push({ contestant, about: await stopwatch.time(contestant.run, Infinity), readings: [] });
  }
  const fastest = Math.min(...field.map(({ about }) => about));
  const runners = field.filter(({ about, contestant }) => contestant === usualOne || about <= HOPELESS * fastest);
  for (let round = 0; round < ROUNDS; round++) {
    for (const { contestant, about, readings } of runners) {
      if (ended()) return null;
      readings.push(await stopwatch.time(contestant.run, about));
    }
  }
  const times = runners.map(({ contestant: { name }, readings }) => ({ winner: name, milliseconds: median(readings) }));
  const best = times.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
  const usual = times.find(({ winner }) => winner === byDefault);
  return usual && best.milliseconds > (1 - WORTH_WHILE) * usual.milliseconds ? usual : best;
}

/** Largest difference, relative to the largest value of its array; Infinity where something is not a number. */
export function difference(actual: readonly Float32Array[], expected: readonly Float32Array[]): number {
  let worst = 0;
  expected.forEach((values, array) => {
    let most = 0;
    let size = Number.MIN_VALUE;
    values.forEach((value, i) => {
      const off = Math.abs(actual[array][i] - value);
      most = Math.max(most, Number.isFinite(off) ? off : Infinity);
      size = Math.max(size, Math.abs(value));
    });
    worst = Math.max(worst, most / size);
  });
  return worst;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
