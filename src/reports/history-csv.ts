/** train_history.csv and val_history.csv: later rows may bring columns that the first one does not have. */
import { writeCsv } from './csv-reader.ts';
import type { LogRow } from './run-log.ts';

/** Rows as CSV with the union of their keys as columns, in the order of first appearance. Gaps and missing values are empty cells. */
export function historyCsv(rows: readonly LogRow[]): string {
  const columns = new Set<string>(['step']);
  for (const row of rows) for (const key in row) columns.add(key);
  const names = [...columns];
  return writeCsv(names, rows.map((row) => names.map((name) => row[name])));
}
