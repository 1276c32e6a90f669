/** rank_pattern and alpha_pattern as text: one "end of module path: number" a line. Pure. */

/** The record, or the text itself where a line is no such pair, so that it can be shown as wrong. */
export function readPattern(text: string): Record<string, number> | string {
  const pattern: Record<string, number> = {};
  for (const line of text.split('\n').map((part) => part.trim()).filter(Boolean)) {
    // Expressions may hold colons; the number stands after the last one.
    const at = Math.max(line.lastIndexOf(':'), line.lastIndexOf('：'));
    const key = line.slice(0, Math.max(0, at)).trim();
    const value = Number(line.slice(at + 1).trim() || NaN);
    if (key === '' || !Number.isFinite(value) || Object.hasOwn(pattern, key)) return text;
    pattern[key] = value;
  }
  return pattern;
}

/** The text of a record; text that is none yet stays as it is. */
export function writePattern(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value ?? '');
  return Object.entries(value).map(([key, number]) => `${key}: ${String(number)}`).join('\n');
}
