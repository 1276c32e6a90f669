/** Numbers and tables as plain text. Everything from a log passes through here before it reaches a terminal. */

/** Four decimals as in the original's reports; small and huge numbers as powers of ten, so that 2e-5 never reads 0.0000. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '-';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-2 || size >= 1e7) return formatExponent(value);
  return value.toFixed(4);
}

/** 2.00e-04, as Python's .2e prints it. */
export function formatExponent(value: number): string {
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

/** "1 h 02 min", "3 min 20 s" or "12 s". */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

/** Control characters and direction marks made visible: a name in a log must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Cut in the middle, where names differ least; the whole text stands in the HTML report and the CSV. */
export function shorten(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  const tail = Math.floor((width - 1) / 2);
  return `${characters.slice(0, width - 1 - tail).join('')}…${characters.slice(characters.length - tail).join('')}`;
}

/** Columns a text takes in a terminal; Chinese characters take two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/.test(character) ? 2 : 1;
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
