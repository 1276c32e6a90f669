/** CSV and TSV as spreadsheets write them (RFC 4180) -> records, one a row, with the line that each begins at. */
import { LorikeetError } from '../protocol/errors.ts';
import type { RawRecord } from './records.ts';

const MAX_COLUMNS = 1000;

/** Whether a file is such a table, by its name. */
export function isTable(path: string): boolean {
  return /\.(csv|tsv)$/i.test(path);
}

/**
 * @returns rows as records of text, and how many rows had another number of cells than the header
 * @throws LorikeetError "dataset" for a header that names nothing, or a quotation mark that is never closed
 */
export function readTable(path: string, text: string, onFault: (error: LorikeetError) => void): { records: RawRecord[]; broken: number } {
  const rows = rowsOf(path, text, separatorOf(path, text));
  const [header, ...others] = rows;
  const names = (header?.cells ?? []).map((name) => name.trim());
  if (names.every((name) => name === '')) throw new LorikeetError('dataset', 'The first row names no columns.', 'Begin the table with a row of column names.', { file: path, line: 1 });
  const repeated = names.find((name, i) => name !== '' && names.indexOf(name) < i);
  if (repeated !== undefined) throw new LorikeetError('dataset', `The table has two columns ${JSON.stringify(repeated.slice(0, 40))}.`, 'Rename one of them.', { file: path, line: 1, field: repeated });
  const records: RawRecord[] = [];
  let broken = 0;
  others.forEach(({ cells, line }, i) => {
    if (cells.length === 1 && cells[0].trim() === '') return;
    const sample = i + 1;
    if (cells.length > names.length) {
      broken++;
      onFault(new LorikeetError('dataset', `The row has ${cells.length} cells, the header ${names.length}.`, 'Put cells with separators or line breaks between quotation marks.', { file: path, line, sample }));
    } else records.push({ value: Object.fromEntries(names.flatMap((name, c) => (name === '' ? [] : [[name, cells[c] ?? '']]))), line, sample });
  });
  return { records, broken };
}

/** The one that the header holds most of; a file called TSV is one. */
function separatorOf(path: string, text: string): string {
  if (/\.tsv$/i.test(path)) return '\t';
  const header = text.split('\n', 1)[0];
  const counts = [',', ';', '\t'].map((separator) => header.split(separator).length);
  return [',', ';', '\t'][counts.indexOf(Math.max(...counts))];
}

interface Row {
  cells: string[];
  line: number;
}

function rowsOf(path: string, text: string, separator: string): Row[] {
  const rows: Row[] = [];
  let row: Row = { cells: [], line: 1 };
  let line = 1;
  let at = 0;
  const end = text.length;
  while (at < end) {
    const cell = text[at] === '"' ? quoted(path, text, at, line, separator) : plain(text, at, separator);
    row.cells.push(cell.value);
    if (row.cells.length > MAX_COLUMNS) throw new LorikeetError('dataset', `A row has more than ${MAX_COLUMNS} cells.`, 'Check that this is a table.', { file: path, line: row.line });
    line += cell.lines;
    at = cell.next;
    if (text[at] === separator) {
      at++;
      if (at === end) row.cells.push('');
      continue;
    }
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    line++;
    rows.push(row);
    row = { cells: [], line };
  }
  if (row.cells.length > 0) rows.push(row);
  return rows;
}

interface Cell {
  value: string;
  next: number;
  lines: number;
}

function plain(text: string, from: number, separator: string): Cell {
  let next = from;
  while (next < text.length && text[next] !== separator && text[next] !== '\n' && !(text[next] === '\r' && text[next + 1] === '\n')) next++;
  return { value: text.slice(from, next), next, lines: 0 };
}

/** Two quotation marks inside stand for one; what follows the closing one belongs to the cell too, as spreadsheets read it. */
function quoted(path: string, text: string, from: number, line: number, separator: string): Cell {
  let value = '';
  let at = from + 1;
  for (;;) {
    const close = text.indexOf('"', at);
    if (close < 0) throw new LorikeetError('dataset', 'A quotation mark is never closed.', 'Write two quotation marks inside quoted cells.', { file: path, line });
    value += text.slice(at, close);
    at = close + 1;
    if (text[at] !== '"') break;
    value += '"';
    at++;
  }
  const rest = at;
  while (at < text.length && text[at] !== separator && text[at] !== '\r' && text[at] !== '\n') at++;
  return { value: value + text.slice(rest, at), next: at, lines: value.split('\n').length - 1 };
}
