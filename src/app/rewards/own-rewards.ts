/** The list of rewards that the user writes. Pure. */
import type { SourcePlace } from '../../protocol/reward-messages.ts';

export interface OwnReward {
  name: string;
  /** Text that is no number is kept so that it can be shown as wrong. */
  weight: number | string;
  source: string;
}

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;

/**
 * What is wrong with the name at a position, or null.
 * @param terms of the scheme, whose names are taken too
 */
export function nameFault(rewards: readonly OwnReward[], at: number, terms: readonly string[]): 'form' | 'taken' | null {
  const { name } = rewards[at];
  if (!NAME.test(name)) return 'form';
  return terms.includes(name) || rewards.some((other, i) => i !== at && other.name === name) ? 'taken' : null;
}

/** A name that no other reward and no term of the scheme has: the wished one, or the same with a number. */
export function freeName(rewards: readonly OwnReward[], wished: string, terms: readonly string[]): string {
  const taken = new Set([...terms, ...rewards.map(({ name }) => name)]);
  if (!taken.has(wished)) return wished;
  for (let n = 2; ; n += 1) if (!taken.has(`${wished}_${n}`)) return `${wished}_${n}`;
}

/** What an edit key does to code: the new text and selection, or null when the key is an ordinary one. */
export function editKey(text: string, from: number, to: number, key: 'Tab' | 'Shift+Tab' | 'Enter'): { from: number; to: number; insert: string } | null {
  const lineStart = text.lastIndexOf('\n', from - 1) + 1;
  const indent = /^[ ]*/.exec(text.slice(lineStart))?.[0] ?? '';
  if (key === 'Tab') return { from, to, insert: '  ' };
  if (key === 'Enter') {
    const deeper = text.slice(lineStart, from).trimEnd().endsWith('{') ? '  ' : '';
    return { from, to, insert: `\n${indent.slice(0, from - lineStart)}${deeper}` };
  }
  const less = Math.min(2, indent.length);
  return less === 0 ? null : { from: lineStart, to: lineStart + less, insert: '' };
}

/** How many characters stand before a place; of a place outside the text, before the nearest one inside. */
export function offsetOf(text: string, { line, column }: SourcePlace): number {
  const lines = text.split('\n');
  const row = Math.min(line, lines.length) - 1;
  const before = lines.slice(0, row).reduce((sum, { length }) => sum + length + 1, 0);
  return before + Math.min(column - 1, lines[row].length);
}
