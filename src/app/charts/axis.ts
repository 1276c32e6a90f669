/** What the charts' horizontal axis counts: optimizer steps, epochs, or seconds of training. Pure. */
import type { RunRecord } from '../state/run-record.svelte.ts';

export type AxisName = 'step' | 'epoch' | 'time';
export const AXES: readonly AxisName[] = ['step', 'epoch', 'time'];

/** What train and validation rows have in common. */
export interface LogRow {
  step: number;
  [metric: string]: number | string | undefined;
}

type Progress = Pick<RunRecord, 'trainRows' | 'totalSteps' | 'secondsLeft' | 'active'>;

/**
 * Where a row stands on the axis. A validation knows no training time of its own: it stands where its step's training row does,
 * or the last one before.
 */
export function placeOn(axis: AxisName, trainRows: readonly LogRow[]): (row: LogRow) => number {
  if (axis === 'step') return ({ step }) => step;
  return (row) => {
    const own = row[axis === 'epoch' ? 'epoch' : 'elapsed_s'];
    return typeof own === 'number' ? own : secondsAt(trainRows, row.step);
  };
}

function secondsAt(rows: readonly LogRow[], step: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].step <= step) low = middle + 1;
    else high = middle;
  }
  const seconds = low > 0 ? rows[low - 1].elapsed_s : 0;
  return typeof seconds === 'number' ? seconds : 0;
}

/** Right end of the axis before zooming: where the run will end as far as that is known. */
export function axisEnd(axis: AxisName, { trainRows, totalSteps, secondsLeft, active }: Progress): number {
  const last = trainRows.at(-1);
  if (axis === 'step') return totalSteps;
  if (!last) return 0;
  if (axis === 'epoch') return (last.epoch * totalSteps) / last.step;
  return last.elapsed_s + (active ? (secondsLeft ?? 0) : 0);
}
