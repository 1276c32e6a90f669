/** Numbers and tables as plain text. Everything from a log passes through here before it reaches a terminal. */

/** Four decimals as in the original's reports; small and huge numbers as powers of ten, so that 2e-5 never reads 0.0000. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-2 || size >= 1e7) return formatExponent(value);
  return value.toFixed(4);
}

/** 2.00e-04, as Python's .2e prints it; what is no number stays a word. */
export function formatExponent(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const [mantissa, exponent] = value.toExponential(2).split('e');
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

/** A count without decimals, other numbers as they are. */
export function formatPlain(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

/** A setting: numbers in full, lists and objects as JSON. */
export function formatSetting(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return value !== 0 && Math.abs(value) < 1e-3 ? shortExponent(value) : String(value);
  if (value === undefined) return '-';
  return JSON.stringify(value);
}

function shortExponent(value: number): string {
  const [mantissa, exponent] = value.toExponential().split('e');
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

/** How units of time are written. */
export interface TimeUnits {
  second: string;
  minute: string;
  hour: string;
}

export const ENGLISH_TIME: TimeUnits = { second: 's', minute: 'min', hour: 'h' };

/** "1 h 02 min", "3 min 20 s" or "12 s". */
export function formatSeconds(seconds: number, { second, minute, hour }: TimeUnits = ENGLISH_TIME): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} ${second}`;
  if (whole < 3600) return `${Math.floor(whole / 60)} ${minute} ${String(whole % 60).padStart(2, '0')} ${second}`;
  return `${Math.floor(whole / 3600)} ${hour} ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} ${minute}`;
}

/** Control characters and direction marks made visible: a name in a log must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Cut in the middle, where names differ least; the whole text stands in the HTML report and the CSV.
 * @param width columns that the text may take
 */
export function shorten(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const characters = [...text];
  const tail = Math.floor((width - 1) / 2);
  return `${fitting(characters, width - 1 - tail).join('')}…${fitting(characters.toReversed(), tail).toReversed().join('')}`;
}

/** As many of the first characters as a width has room for. */
function fitting(characters: readonly string[], width: number): string[] {
  let end = 0;
  for (let used = 0; end < characters.length; end += 1) {
    used += displayWidth(characters[end]);
    if (used > width) break;
  }
  return characters.slice(0, end);
}

/** East Asian Width "wide" and "fullwidth" of Unicode Standard Annex 11, as ranges. */
const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns a text takes in a terminal; Chinese characters take two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : 1;
  return width;
}

/**
 * Lines up rows of text in columns.
 * @param align one letter per column: l or r
 */
export function alignColumns(rows: readonly (readonly string[])[], align: string): string {
  const columns = [...align];
  const widths = columns.map((_, column) => rows.reduce((width, row) => Math.max(width, displayWidth(row[column] ?? '')), 0));
  return rows
    .map((row) =>
      columns
        .map((side, column) => {
          const cell = row[column] ?? '';
          const space = ' '.repeat(widths[column] - displayWidth(cell));
          return side === 'r' ? space + cell : cell + space;
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
