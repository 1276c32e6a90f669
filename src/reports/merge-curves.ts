/** TensorBoard downloads each curve of a run as a file of its own: "run-NAME-tag-METRIC.csv". Together they are one run. */
import { bareObject, type LogRow, type RunLog } from './run-log.ts';

const CURVE = /^(?:run-)?(.*)-tag-[^/]+\.csv$/i;

/** What the files of one run have in common, null for a file of another kind. */
export function curveRun(path: string): string | null {
  const cut = path.lastIndexOf('/') + 1;
  const match = CURVE.exec(path.slice(cut));
  if (!match) return null;
  // TensorBoard's name for the folder that it looks at itself.
  const run = match[1] === '.' ? '' : match[1];
  return `${path.slice(0, cut)}${run}`.replace(/\/$/, '') || 'TensorBoard';
}

/** One run with the rows of all, by step. @param runs at least one */
export function mergeCurves(runs: readonly RunLog[], name: string): RunLog {
  return { ...runs[0], name, train: mergeRows(runs.map(({ train }) => train)), validation: mergeRows(runs.map(({ validation }) => validation)), notes: runs.flatMap(({ notes }) => notes) };
}

function mergeRows(curves: readonly (readonly LogRow[])[]): LogRow[] {
  const rows = new Map<number, LogRow>();
  for (const row of curves.flat()) rows.set(row.step, Object.assign(rows.get(row.step) ?? (bareObject<number | string | null>() as LogRow), row));
  return [...rows.values()].sort((a, b) => a.step - b.step);
}
