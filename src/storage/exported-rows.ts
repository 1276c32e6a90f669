/** Rows of an exported run's files: each is checked before it is believed, and a bad one is named by file, line and field. */
import * as v from 'valibot';
import { parseStrictJson } from '../checkpoint/strict-json.ts';
import { LorikeetError } from '../protocol/errors.ts';

export const MAX_ROWS = 1_000_000;
/** More than any answer has room for. */
const MAX_BOXES = 10_000;
const ADVICE = 'Export the run again: this file is not one that Lorikeet wrote.';

export const number = v.pipe(v.number(), v.finite());
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const shortText = v.pipe(v.string(), v.maxLength(2000));
export const columnName = v.pipe(v.string(), v.maxLength(200));
export const boxes = v.pipe(v.array(v.object({ box: v.strictTuple([number, number, number, number]), label: v.string() })), v.maxLength(MAX_BOXES));
/** By reward term. */
export const rewards = v.record(columnName, v.nullable(number));

/** A row and the line of the file that it stands in, counted from 1. */
export interface Line<Row> {
  line: number;
  row: Row;
}

/** The error for something in a file that Lorikeet would not write. */
export function corrupt(what: string, file: string, field = '', line?: number): LorikeetError {
  const at = [file, ...(line === undefined ? [] : [`line ${line}`]), ...(field === '' ? [] : [field])].join(', ');
  return new LorikeetError('file-corrupt', `${at}: ${what}.`, ADVICE, { file, field, line });
}

/**
 * A value that keeps to the schema.
 * @throws LorikeetError "file-corrupt" naming the field
 */
export function checked<Schema extends v.GenericSchema>(schema: Schema, value: unknown, file: string, line?: number): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw corrupt(issue.message, file, v.getDotPath(issue) ?? '', line);
}

/**
 * Reads a JSONL file; empty lines are passed over.
 * @throws LorikeetError "file-corrupt" naming line and field, "file-too-large"
 */
export function parseLines<Schema extends v.GenericSchema>(schema: Schema, content: string, file: string): Line<v.InferOutput<Schema>>[] {
  const lines = content.split('\n');
  if (lines.length > MAX_ROWS + 1) throw new LorikeetError('file-too-large', `${file} has ${lines.length} lines; at most ${MAX_ROWS} are read.`, ADVICE, { file });
  return lines.flatMap((text, i) => (text === '' ? [] : [{ line: i + 1, row: checked(schema, parseStrictJson(text, `${file}, line ${i + 1}`), file, i + 1) }]));
}
