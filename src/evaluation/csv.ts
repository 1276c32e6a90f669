/** An evaluation as one table: a line for each metric, with interval and difference for each candidate. */
import type { MeasuredSet } from './measure-set.ts';

/** Lines of a CSV file after RFC 4180; nothing to measure is an empty cell. */
export function evaluationCsv({ names, rows }: MeasuredSet): string {
  const head = ['metric', ...names.flatMap((name, i) => [name, `${name} low`, `${name} high`, ...(i === 0 ? [] : [`${name} difference`, `${name} difference low`, `${name} difference high`])])];
  const lines = rows.map(({ metric, values, intervals, differences }) => [
    metric,
    ...names.flatMap((_, i) => [values[i], intervals[i]?.low, intervals[i]?.high, ...(i === 0 ? [] : [differences[i]?.difference, differences[i]?.low, differences[i]?.high])]),
  ]);
  return [head, ...lines].map((cells) => `${cells.map(cell).join(',')}\r\n`).join('');
}

function cell(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '';
  const text = String(value);
  // A spreadsheet would run what begins like a formula.
  const plain = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
