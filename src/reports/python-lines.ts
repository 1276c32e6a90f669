/** What trainers print to a console, saved: a Python dictionary a line, without a step. */
import { bareObject } from './run-log.ts';

const LINE = /^\s*\{\s*'/;
const TOKEN = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|\b(?:None|True|False|nan|inf)\b/g;
const WORDS: Readonly<Record<string, string>> = { None: 'null', True: 'true', False: 'false', nan: 'NaN', inf: 'Infinity' };
const SUMMARY = /^train_(?:runtime|loss|samples_per_second|steps_per_second)$/;

/** Whether a text begins with such a line. */
export function isPythonLines(text: string): boolean {
  return LINE.test(text);
}

/** The same lines as JSON; lines that are no dictionaries stay as they are, for the reader to name. */
export function pythonLinesAsJson(text: string): string {
  return text
    .split('\n')
    .map((line) => (LINE.test(line) ? line.replace(TOKEN, (word, single?: string, double?: string) => (single ?? double) === undefined ? WORDS[word] : JSON.stringify((single ?? double)!.replace(/\\(.)/g, '$1'))) : line))
    .join('\n');
}

/**
 * Gives rows without a step the number of the training row they are or follow: in order they are, how far apart is not told.
 * @returns null where every row has a step
 */
export function countedSteps<Row extends Record<string, unknown>>(rows: readonly Row[]): Row[] | null {
  const placed = (row: Row) => ['step', 'global_step', 'current_steps', 'global_step/max_steps', 'iteration'].some((key) => Object.hasOwn(row, key));
  if (rows.some(placed)) return null;
  let step = 0;
  return rows.map((row) => {
    const keys = Object.keys(row);
    if (!keys.some((key) => SUMMARY.test(key)) && !keys.some((key) => /^eval[_/]/.test(key))) step++;
    return Object.assign(bareObject<unknown>(), row, { step }) as Row;
  });
}
