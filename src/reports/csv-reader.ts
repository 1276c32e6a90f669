/** Comma-separated values, RFC 4180: quoted cells may hold commas, quotes and line breaks. */

export interface CsvTable {
  header: string[];
  rows: { cells: string[]; line: number }[];
  /** Line where a quoted cell begins that never ends; null when the text is whole. */
  openQuote: number | null;
}

/**
 * Reads CSV text. Empty lines are passed over; cells are not trimmed.
 * @param limit rows to read; one more may be returned so that the caller can tell
 */
export function readCsv(text: string, limit: number): CsvTable {
  const records: CsvTable['rows'] = [];
  let line = 1;
  let at = 0;
  let openQuote: number | null = null;
  while (at < text.length && records.length <= limit + 1) {
    const cells: string[] = [];
    const start = line;
    for (;;) {
      if (text[at] === '"') {
        let cell = '';
        const quoteLine = line;
        at += 1;
        for (;;) {
          const end = text.indexOf('"', at);
          if (end === -1) {
            openQuote = quoteLine;
            at = text.length;
            break;
          }
          cell += text.slice(at, end);
          at = end + 1;
          if (text[at] !== '"') break;
          cell += '"';
          at += 1;
        }
        line += cell.split('\n').length - 1;
        cells.push(cell);
      } else {
        const end = nextOf(text, at);
        cells.push(text.slice(at, end));
        at = end;
      }
      if (text[at] === ',') {
        at += 1;
        continue;
      }
      break;
    }
    if (openQuote !== null) break;
    // What follows a closing quote up to the line's end belongs to no cell.
    const end = text.indexOf('\n', at);
    at = end === -1 ? text.length : end + 1;
    line += 1;
    if (cells.length > 1 || cells[0].trim() !== '') records.push({ cells, line: start });
  }
  return { header: records[0]?.cells ?? [], rows: records.slice(1), openQuote };
}

/** End of an unquoted cell. */
function nextOf(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x2c || code === 0x0a || code === 0x0d) break;
  }
  return at;
}

/** One cell, quoted where needed. A leading = + - @ of a text would run as a formula in a spreadsheet, so it gets an apostrophe. */
export function csvCell(value: number | string | boolean | null | undefined): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows to text, one line each, with a header whose order is given. */
export function writeCsv(header: readonly string[], rows: readonly (readonly (number | string | boolean | null | undefined)[])[]): string {
  return [header, ...rows].map((row) => `${row.map(csvCell).join(',')}\n`).join('');
}
