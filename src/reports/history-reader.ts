/** Rows of a log, checked one by one. Nothing is dropped in silence: what a row holds and a run cannot is counted and named. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { note, said } from './notes.ts';
import type { Said } from './notes.ts';
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
  times: number;
  place: RowPlace;
}

interface Fault extends Count {
  level: LogNote['level'];
  fault: Said;
}

/** Where a row stands, for notes: "train_history, row 3" or "line 12". Put into words only when a note needs it. */
export interface RowPlace {
  readonly line?: number;
  said(): Said;
}

/** The place of a list's row. */
export function rowPlace(history: string, index: number): RowPlace {
  return { said: () => said('row', { history, row: index + 1 }) };
}

/** The place of a row in a file with one row per line. */
export function linePlace(line: number): RowPlace {
  return { line, said: () => said('line', { line }) };
}

export class HistoryReader {
  #rows = 0;
  readonly #names = new Set<string>();
  readonly #gaps = new Map<string, Count>();
  readonly #faults = new Map<string, Fault>();

  /** @param file named in errors */
  constructor(private readonly file: string) {}

  /**
   * Checks one row.
   * @param step where the row's own key is another than "step"
   * @returns null for a row that cannot be placed on the step axis; it is counted
   * @throws LorikeetError "file-too-large" beyond the limits of rows or metrics
   */
  row(raw: unknown, place: RowPlace, step?: unknown): LogRow | null {
    if (!v.is(rowSchema, raw)) return this.#reject(said('rowNoObject'), place);
    const number = asNumber(step ?? raw.step);
    if (!v.is(stepSchema, number)) return this.#reject(said('rowNoStep'), place);
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
  count(fault: Said, place: RowPlace, level: LogNote['level'] = 'warning'): void {
    const seen = this.#faults.get(fault.key);
    if (seen) seen.times += 1;
    else this.#faults.set(fault.key, { level, fault, times: 1, place });
  }

  /** Everything counted, one note per kind. */
  notes(): LogNote[] {
    const faults = [...this.#faults.values()].map(({ level, fault, times, place }) => note(level, said('counted', { fault, times, first: place.said() }), { line: place.line }));
    const gaps = [...this.#gaps].map(([metric, { times, place }]) => note('warning', said('gaps', { metric, times, first: place.said() }), { line: place.line }));
    return [...faults, ...gaps];
  }

  #checkRows(rows: number): void {
    if (rows <= MAX_LOG_ROWS) return;
    throw new LorikeetError('file-too-large', `${this.file} has more than ${MAX_LOG_ROWS.toLocaleString('en-US')} rows.`, 'Log less often, or keep every tenth row.', { file: this.file });
  }

  #reject(fault: Said, place: RowPlace): null {
    this.count(fault, place);
    return null;
  }

  #cell(row: LogRow, key: string, raw: unknown, place: RowPlace): void {
    if (key.length > MAX_NAME_LENGTH) return this.count(said('nameTooLong', { characters: MAX_NAME_LENGTH }), place);
    if (!this.#names.has(key)) {
      this.#names.add(key);
      if (this.#names.size > MAX_LOG_METRICS) {
        throw new LorikeetError('file-too-large', `${this.file} has more than ${MAX_LOG_METRICS} different metrics.`, 'Keep the metrics that matter.', { file: this.file });
      }
    }
    const value = typeof raw === 'string' && isNumberText(raw) ? asNumber(raw) : raw;
    if (typeof raw === 'string' && typeof value === 'number') {
      if (Number.isFinite(value)) this.count(said('numberAsText'), place);
    }
    if (typeof value === 'number') {
      row[key] = Number.isFinite(value) ? value : null;
      if (row[key] === null) this.#gap(key, place);
    } else if (value === null) {
      row[key] = null;
      this.#gap(key, place);
    } else if (typeof value === 'string') {
      if (value.length <= MAX_TEXT_LENGTH) row[key] = value;
      else this.count(said('textTooLong', { characters: MAX_TEXT_LENGTH }), place);
    } else if (value !== undefined) {
      this.count(said('noValue'), place);
    }
  }

  #gap(key: string, place: RowPlace): void {
    const seen = this.#gaps.get(key);
    if (seen) seen.times += 1;
    else this.#gaps.set(key, { times: 1, place });
  }

  /** Counts a history whose steps do not ascend. */
  noteOrder(rows: readonly LogRow[], history: string | Said): void {
    const back = rows.findIndex((row, i) => i > 0 && row.step < rows[i - 1].step);
    if (back > 0) this.count(said('stepsGoBack'), { said: () => said('back', { history, from: rows[back - 1].step, to: rows[back].step }) });
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
