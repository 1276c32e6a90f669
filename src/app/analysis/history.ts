/** Rows as columns, which charts read: those of an opened log as they are, those of a live run as they come. Pure. */
import type { PackedHistory } from '../../reports/packed-run.ts';
import { isMetric } from '../../reports/metrics.ts';

/** One key of the rows that have it. */
export interface Column {
  /** Positions of these rows, ascending; null when all have it. */
  at: ArrayLike<number> | null;
  /** NaN is a gap or a text. */
  values: ArrayLike<number>;
  texts: readonly (string | null)[] | null;
}

export interface History {
  readonly length: number;
  readonly steps: ArrayLike<number>;
  column(name: string): Column | undefined;
  /** Keys that are metrics and have at least one number, in the order of first appearance. */
  metrics(): string[];
}

/** What the charts of a run are drawn from. */
export interface RunHistories {
  train: History;
  validation: History;
}

/** Columns that came out of the reader. */
export function packedHistory({ length, steps, columns }: PackedHistory): History {
  const byName = new Map<string, Column>(columns.map((column) => [column.name, column]));
  return { length, steps, column: (name) => byName.get(name), metrics: () => metricsIn(byName) };
}

interface GrowingColumn extends Column {
  at: number[];
  values: number[];
  texts: (string | null)[] | null;
}

type Row = Readonly<Record<string, unknown>> & { step: number };

/** Columns that grow with a run. */
export class GrowingHistory implements History {
  steps: number[] = [];
  #columns = new Map<string, GrowingColumn>();
  /** The rows taken so far, to notice when a resumed run replaces some. */
  #last: Row | undefined;

  get length(): number {
    return this.steps.length;
  }

  column(name: string): Column | undefined {
    return this.#columns.get(name);
  }

  metrics(): string[] {
    return metricsIn(this.#columns);
  }

  /** Takes what is new of a list that mostly grows at its end. */
  follow(rows: readonly Row[]): void {
    const known = this.steps.length;
    if (known > rows.length || (known > 0 && rows[known - 1] !== this.#last)) {
      this.steps = [];
      this.#columns = new Map();
    }
    for (let i = this.steps.length; i < rows.length; i += 1) this.#take(rows[i], i);
    this.#last = rows.at(-1);
  }

  #take(row: Row, index: number): void {
    this.steps.push(row.step);
    for (const [name, value] of Object.entries(row)) {
      if (name === 'step' || value === undefined) continue;
      let column = this.#columns.get(name);
      if (!column) this.#columns.set(name, (column = { at: [], values: [], texts: null }));
      if (typeof value === 'string') column.texts ??= new Array<string | null>(column.at.length).fill(null);
      column.texts?.push(typeof value === 'string' ? value : null);
      column.at.push(index);
      column.values.push(typeof value === 'number' && Number.isFinite(value) ? value : NaN);
    }
  }
}

function metricsIn(columns: ReadonlyMap<string, Column>): string[] {
  return [...columns].filter(([name, column]) => isMetric(name) && hasNumber(column)).map(([name]) => name);
}

function hasNumber({ values }: Column): boolean {
  for (let i = 0; i < values.length; i += 1) if (!Number.isNaN(values[i])) return true;
  return false;
}
