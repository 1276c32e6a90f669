/** Which charts a comparison has: one per metric, training and validation apart, so that a line is a run. Pure. */
import { sharedName } from '../../reports/metrics.ts';
import type { RunHistories } from '../analysis/history.ts';

export interface SharedCurve {
  /** Name under which the runs' own names meet. */
  name: string;
  side: 'train' | 'validation';
  /** Own name of the metric in each run; null where a run does not have it. */
  own: (string | null)[];
}

/** Every metric of any run, validation first. */
export function sharedCurves(runs: readonly RunHistories[]): SharedCurve[] {
  const found = new Map<string, SharedCurve>();
  for (const side of ['validation', 'train'] as const) {
    runs.forEach((run, i) => {
      for (const own of run[side].metrics()) {
        const name = sharedName(own);
        const curve = found.get(`${side} ${name}`) ?? { name, side, own: runs.map(() => null) };
        curve.own[i] ??= own;
        found.set(`${side} ${name}`, curve);
      }
    });
  }
  return [...found.values()];
}
