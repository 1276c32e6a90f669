/** Rows of a log, checked one by one. Nothing is dropped in silence: what a row holds and a run cannot is counted and named. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { bareRow, MAX_LOG_METRICS, MAX_LOG_ROWS, MAX_NAME_LENGTH } from './run-log.ts';
import type { LogNote, LogRow } from './run-log.ts';

const stepSchema = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const rowSchema = v.custom<Record<string, unknown>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));

const NUMBER_TEXT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const NOT_A_NUMBER_TEXT = /^[+-]?(?:nan|inf|infinity)$/i;
/** Longer texts in rows are no labels or dates any more. */
const MAX_TEXT_LENGTH = 2000;

/** How a kind of fault is counted: how often, and where first. */
interface Count {
  level: LogNote['level'];
  times: number;
  first: string;
  line?: number;
}

/** Where a row stands, for messages: "train_history, row 3" or "line 12". */
export interface RowPlace {
  readonly text: string;
  readonly line?: number;
}

/** The place of a list's row; its text is made only when a message needs it. */
export function rowPlace(history: string, index: number): RowPlace {
  return {
    get text() {
      return `${history}, row ${index + 1}`;
    },
  };
}

export class HistoryReader {
  #rows = 0;
  readonly #names = new Set<string>();
  readonly #gaps = new Map<string, Count>();
  readonly #faults = new Map<string, Count>();

  /** @param file named in errors */
  constructor(private readonly file: string) {}

  /**
   * Checks one row.
   * @param step where the row's own key is another than "step"
   * @returns null for a row that cannot be placed on the step axis; it is counted
   * @throws LorikeetError "file-too-large" beyond the limits of rows or metrics
   */
  row(raw: unknown, place: RowPlace, step?: unknown): LogRow | null {
    if (!v.is(rowSchema, raw)) return this.#reject('is not an object with named values', place);
    const number = asNumber(step ?? raw.step);
    if (!v.is(stepSchema, number)) return this.#reject('has no step of at least 0', place);
    this.#rows += 1;
    this.#checkRows(this.#rows);
    const row = bareRow(number);
    for (const key of Object.keys(raw)) if (key !== 'step') this.#cell(row, key, raw[key], place);
    return row;
  }

  /** Rows of one list, those that hold. */
  rows(raw: readonly unknown[], history: string): LogRow[] {
    this.#checkRows(raw.length);
    const rows: LogRow[] = [];
    raw.forEach((entry, index) => {
      const row = this.row(entry, rowPlace(history, index));
      if (row) rows.push(row);
    });
    this.noteOrder(rows, history);
    return rows;
  }

  /** Counts a fault, or with level "info" something that is none. */
  count(fault: string, place: RowPlace, level: LogNote['level'] = 'warning'): void {
    const seen = this.#faults.get(fault);
    if (seen) seen.times += 1;
    else this.#faults.set(fault, { level, times: 1, first: place.text, line: place.line });
  }

  /** Everything counted, one note per kind. */
  notes(): LogNote[] {
    const notes: LogNote[] = [];
    for (const [fault, { level, times, first, line }] of this.#faults) {
      notes.push({ level, message: `${fault}: ${times === 1 ? 'once' : `${times} times`}, first in ${first}.`, line });
    }
    for (const [metric, { times, first, line }] of this.#gaps) {
      notes.push({ level: 'warning', message: `${metric} is not a finite number ${times === 1 ? 'once' : `${times} times`} (gap in its curve), first in ${first}.`, line });
    }
    return notes;
  }

  #checkRows(rows: number): void {
    if (rows <= MAX_LOG_ROWS) return;
    throw new LorikeetError('file-too-large', `${this.file} has more than ${MAX_LOG_ROWS.toLocaleString('en-US')} rows.`, 'Log less often, or keep every tenth row.', { file: this.file });
  }

  #reject(fault: string, place: RowPlace): null {
    this.count(`A row ${fault} and was left out`, place);
    return null;
  }

  #cell(row: LogRow, key: string, raw: unknown, place: RowPlace): void {
    if (key.length > MAX_NAME_LENGTH) return this.count(`A name longer than ${MAX_NAME_LENGTH} characters and its value were left out`, place);
    if (!this.#names.has(key)) {
      this.#names.add(key);
      if (this.#names.size > MAX_LOG_METRICS) {
        throw new LorikeetError('file-too-large', `${this.file} has more than ${MAX_LOG_METRICS} different metrics.`, 'Keep the metrics that matter.', { file: this.file });
      }
    }
    const value = typeof raw === 'string' && isNumberText(raw) ? asNumber(raw) : raw;
    if (typeof raw === 'string' && typeof value === 'number') {
      if (Number.isFinite(value)) this.count('A number was written as text and is read as a number', place);
    }
    if (typeof value === 'number') {
      row[key] = Number.isFinite(value) ? value : null;
      if (row[key] === null) this.#gap(key, place);
    } else if (value === null) {
      row[key] = null;
      this.#gap(key, place);
    } else if (typeof value === 'string') {
      if (value.length <= MAX_TEXT_LENGTH) row[key] = value;
      else this.count(`A text longer than ${MAX_TEXT_LENGTH} characters was left out`, place);
    } else if (value !== undefined) {
      this.count('A value that is neither a number nor a text was left out', place);
    }
  }

  #gap(key: string, place: RowPlace): void {
    const seen = this.#gaps.get(key);
    if (seen) seen.times += 1;
    else this.#gaps.set(key, { level: 'warning', times: 1, first: place.text, line: place.line });
  }

  /** Counts a history whose steps do not ascend. */
  noteOrder(rows: readonly LogRow[], history: string): void {
    const back = rows.findIndex((row, i) => i > 0 && row.step < rows[i - 1].step);
    if (back > 0) {
      this.count('The step goes back (a resumed run?); charts and statistics sort rows by step', {
        text: `${history}: from ${rows[back - 1].step} to ${rows[back].step}`,
      });
    }
  }
}

function isNumberText(text: string): boolean {
  return NUMBER_TEXT.test(text) || NOT_A_NUMBER_TEXT.test(text);
}

/** Python's `default=str` writes numpy numbers as text. */
function asNumber(value: unknown): unknown {
  if (typeof value !== 'string' || !isNumberText(value)) return value;
  return NUMBER_TEXT.test(value) ? Number(value) : NaN;
}
