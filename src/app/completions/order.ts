/** Order and spread of the answers of a group. Pure. */
import type { CompletionGroup, CompletionRecord } from '../../protocol/messages.ts';

/** Rewards closer than this are equal; they are sums of a few terms in float64. */
const EQUAL = 1e-9;

export type AnswerOrder = 'reward' | 'sampled';

export interface NumberedCompletion {
  /** Position in the group as sampled, from 1. */
  number: number;
  completion: CompletionRecord;
}

/** Answers with their numbers; best first, unscored last, of equal ones the first sampled first. */
export function inOrder({ completions }: CompletionGroup, order: AnswerOrder): NumberedCompletion[] {
  const numbered = completions.map((completion, i) => ({ number: i + 1, completion }));
  if (order === 'sampled') return numbered;
  const value = ({ completion }: NumberedCompletion) => completion.reward ?? -Infinity;
  return numbered.sort((a, b) => (value(b) === value(a) ? a.number - b.number : value(b) - value(a)));
}

export interface GroupSpread {
  mean: number | null;
  /** Unbiased; null for fewer than two scored answers. */
  deviation: number | null;
  /** All scored answers have the same reward, so that no advantage is left: the group teaches nothing. */
  equal: boolean;
}

/** Mean and spread of a group's rewards. */
export function spreadOf({ completions }: CompletionGroup): GroupSpread {
  const rewards = completions.flatMap(({ reward }) => (reward === null ? [] : [reward]));
  if (rewards.length === 0) return { mean: null, deviation: null, equal: true };
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  const squares = rewards.reduce((sum, reward) => sum + (reward - mean) ** 2, 0);
  const deviation = rewards.length < 2 ? null : Math.sqrt(squares / (rewards.length - 1));
  return { mean, deviation, equal: Math.max(...rewards) - Math.min(...rewards) <= EQUAL };
}

/** The position in ascending steps that shows a wanted step: itself, or the nearest earlier one, or the first. */
export function positionOf(steps: readonly number[], wanted: number): number {
  let found = 0;
  steps.forEach((step, i) => {
    if (step <= wanted) found = i;
  });
  return found;
}

/** The prompt without the places of its images, which are shown beside it. */
export function readablePrompt({ prompt }: CompletionGroup): string {
  return prompt.replaceAll('<image>', '').trim();
}
