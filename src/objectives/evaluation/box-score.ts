/** How sure a model was of a box that it wrote: the mean probability of the tokens of its coordinates. */
import type { Box } from '../detection-answer.ts';

/** The tokens of an answer. */
export interface AnswerTokens {
  /** Characters of the text up to the end of each token. */
  ends: readonly number[];
  /** Probability that the model gave each token when it chose it. */
  probabilities: readonly number[];
}

/** Characters between two coordinates of a box at most: brackets, commas, spaces, line breaks. */
const MAX_GAP = 24;

/**
 * Where the boxes stand in the text: from the first digit of the first coordinate to the last of the fourth.
 * @param boxes in the order in which the text has them
 * @returns null for a box whose numbers are not found as they are
 */
export function boxSpans(text: string, boxes: readonly Box[]): ({ from: number; to: number } | null)[] {
  let start = 0;
  return boxes.map((box) => {
    const numbers = box.map((value) => String(value).replace(/[.+-]/g, '\\$&')).join(`\\D{1,${MAX_GAP}}?`);
    const pattern = new RegExp(`(?<![\\d.])${numbers}(?![\\d])`, 'g');
    pattern.lastIndex = start;
    const found = pattern.exec(text);
    if (!found) return null;
    start = found.index + found[0].length;
    return { from: found.index, to: start };
  });
}

/**
 * Scores of the boxes of an answer, 0 to 1. A box whose place is not found gets the mean of the whole answer.
 * @param tokens null: nothing is known of them, and all boxes score 1
 */
export function boxScores(text: string, boxes: readonly Box[], tokens: AnswerTokens | null): number[] {
  if (!tokens || tokens.ends.length === 0) return boxes.map(() => 1);
  const { ends, probabilities } = tokens;
  return boxSpans(text, boxes).map((span) => {
    const { from, to } = span ?? { from: 0, to: text.length };
    const within = probabilities.filter((_, i) => ends[i] > from && (i === 0 ? 0 : ends[i - 1]) < to);
    return within.length === 0 ? 1 : within.reduce((sum, p) => sum + p, 0) / within.length;
  });
}
