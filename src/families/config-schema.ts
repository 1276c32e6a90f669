/** Pieces that the config.json schemas of the families share. */
import * as v from 'valibot';
import type { LorikeetError } from '../protocol/errors.ts';
import { corrupt, unsupported } from './config-errors.ts';

/** A whole number from 1 on. */
export const size = (max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(max));
export const tokenId = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(2 ** 22));
export const theta = v.optional(v.pipe(v.number(), v.finite(), v.minValue(1)));

/** What the first fault of a schema means: an option not computed here, or a value that cannot be. */
export function describeIssue(issue: v.BaseIssue<unknown>, file: string): LorikeetError {
  const field = v.getDotPath(issue as never) ?? '';
  const got = `got ${JSON.stringify(issue.input) ?? 'nothing'}`;
  if (issue.type === 'literal') return unsupported(file, field, `${field} must be ${issue.expected}, ${got}.`);
  return corrupt(file, field, `${field}: ${issue.message} (${got}).`);
}

/** @throws LorikeetError "file-corrupt" when a token lies outside the vocabulary */
export function checkTokens(tokens: Readonly<Record<string, number | null>>, vocabSize: number, file: string): void {
  for (const [name, id] of Object.entries(tokens)) {
    if (id !== null && id >= vocabSize) throw corrupt(file, name, `${name}: token ${id} lies outside the vocabulary of ${vocabSize}.`);
  }
}
