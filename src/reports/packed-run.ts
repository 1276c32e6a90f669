/** A run as columns: between worker and page, and in storage, a few typed arrays instead of a million objects. */
import { bareRow } from './run-log.ts';
import type { LogRow, RunLog } from './run-log.ts';

export interface PackedColumn {
  name: string;
  /** Positions of the rows that have the key, ascending; null when all have it. */
  at: Uint32Array<ArrayBuffer> | null;
  /** One per position. NaN is a gap or, where `texts` says so, a text. */
  values: Float64Array<ArrayBuffer>;
  /** Parallel to `values`; null when no row holds a text under this key. */
  texts: (string | null)[] | null;
}

export interface PackedHistory {
  length: number;
  steps: Float64Array<ArrayBuffer>;
  /** Everything but the step, in the order of first appearance. */
  columns: PackedColumn[];
}

export interface PackedRun extends Omit<RunLog, 'train' | 'validation'> {
  train: PackedHistory;
  validation: PackedHistory;
}

/** Turns a run's rows into columns. */
export function packRun(run: RunLog): PackedRun {
  return { ...run, train: packRows(run.train), validation: packRows(run.validation) };
}

/** The run again, rows without prototypes as the readers make them. */
export function unpackRun(packed: PackedRun): RunLog {
  return { ...packed, train: unpackRows(packed.train), validation: unpackRows(packed.validation) };
}

/** Buffers that can be handed over instead of copied. */
export function buffersOf(packed: PackedRun): ArrayBuffer[] {
  return [packed.train, packed.validation].flatMap(({ steps, columns }) => [steps.buffer, ...columns.flatMap(({ at, values }) => (at ? [at.buffer, values.buffer] : [values.buffer]))]);
}

function packRows(rows: readonly LogRow[]): PackedHistory {
  const columns = new Map<string, { at: number[]; values: number[]; texts: (string | null)[] | null }>();
  rows.forEach((row, index) => {
    for (const name in row) {
      if (name === 'step') continue;
      let column = columns.get(name);
      if (!column) columns.set(name, (column = { at: [], values: [], texts: null }));
      const value = row[name];
      if (typeof value === 'string') column.texts ??= new Array<string | null>(column.at.length).fill(null);
      column.texts?.push(typeof value === 'string' ? value : null);
      column.at.push(index);
      column.values.push(typeof value === 'number' ? value : NaN);
    }
  });
  return {
    length: rows.length,
    steps: Float64Array.from(rows, (row) => row.step),
    columns: [...columns].map(([name, { at, values, texts }]) => ({ name, at: at.length === rows.length ? null : Uint32Array.from(at), values: Float64Array.from(values), texts })),
  };
}

function unpackRows({ steps, columns }: PackedHistory): LogRow[] {
  const rows = Array.from(steps, (step) => bareRow(step));
  for (const { name, at, values, texts } of columns) {
    values.forEach((value, i) => {
      const row = rows[at ? at[i] : i];
      row[name] = texts?.[i] ?? (Number.isNaN(value) ? null : value);
    });
  }
  return rows;
}
