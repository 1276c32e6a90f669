/** Tags and notes as they are kept: short, without repetition, one spelling each. */
import type { RunLabels } from './records.ts';

export const MAX_TAGS = 20;
export const MAX_TAG_LENGTH = 60;
export const MAX_NOTES_LENGTH = 20_000;

/** Trims, shortens and drops what is empty or there already. */
export function cleanLabels({ tags, notes }: RunLabels): RunLabels {
  const kept = tags.map((tag) => tag.trim().replaceAll(/\s+/g, ' ').slice(0, MAX_TAG_LENGTH)).filter((tag) => tag !== '');
  return { tags: [...new Set(kept)].slice(0, MAX_TAGS), notes: notes.slice(0, MAX_NOTES_LENGTH) };
}
