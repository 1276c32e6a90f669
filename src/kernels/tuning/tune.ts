/** The tuning of a device: class by class, the forms that it can run race, and the winner becomes its choice. */
import type { Gpu } from '../../gpu/gpu.ts';
import { race } from '../../gpu/race.ts';
import { stopwatchOf } from '../../gpu/stopwatch.ts';
import { invariant } from '../../protocol/errors.ts';
import type { TuningEntry } from './entry.ts';

/** What came of one class. */
export interface Tuned {
  key: string;
  variant: string;
  /** Whether the table would have taken it too. */
  usual: boolean;
  milliseconds: number;
  /** Floating-point operations per second; null where the time goes into reading memory. */
  flopsPerSecond: number | null;
}

/**
 * One class. The device's choices stay as they are.
 * @param ended asked before each contestant
 * @returns null when it was ended before, and where there is nothing to choose from
 */
export async function tuneClass(gpu: Gpu, entry: TuningEntry, ended: () => boolean): Promise<Tuned | null> {
  const contest = entry.open();
  try {
    const verdict = await race(contest, { stopwatch: stopwatchOf(gpu), now: () => performance.now(), ended });
    if (!verdict) return null;
    invariant(verdict.milliseconds > 0, `${entry.key}: a form took no time`);
    const { winner: variant, milliseconds } = verdict;
    return { key: entry.key, variant, usual: variant === contest.byDefault, milliseconds, flopsPerSecond: entry.flops === null ? null : (entry.flops * 1000) / milliseconds };
  } finally {
    contest.close();
  }
}
