/** What a reward is tried on: answers that the current run sampled, else the dataset's own answers. Pure but for the sample reader. */
import { rewardCall } from '../../objectives/rewards/custom.ts';
import type { CompletionGroup, SamplePreview } from '../../protocol/messages.ts';
import type { RewardCall } from '../../protocol/reward-messages.ts';

export interface TrialSample {
  id: string;
  /** Number of a sampled answer in its group, or which of the dataset's answers it is. */
  answer: number | 'own' | 'other';
  call: RewardCall;
}

const MOST_SAMPLED = 12;
/** Samples of the dataset; each is tried with two answers. */
export const FROM_DATASET = 4;

/** The answers of the first groups. */
export function samplesOfGroups(groups: readonly CompletionGroup[]): TrialSample[] {
  return groups
    .flatMap(({ id, prompt, truth, completions }) => completions.map(({ text }, i) => ({ id, answer: i + 1, call: rewardCall(text, truth, prompt, {}) })))
    .slice(0, MOST_SAMPLED);
}

/** Each sample with its own answer, which should score well, and with the next one's, which should not. */
export function samplesOfDataset(previews: readonly SamplePreview[]): TrialSample[] {
  const read = previews.map(({ id, turns }) => ({
    id,
    prompt: turns.filter(({ role }) => role === 'user').at(-1)?.text ?? '',
    truth: turns.at(-1)?.role === 'assistant' ? (turns.at(-1)?.text ?? '') : '',
  }));
  return read.flatMap(({ id, prompt, truth }, i) => {
    const other = read[(i + 1) % read.length].truth;
    const own: TrialSample = { id, answer: 'own', call: rewardCall(truth, truth, prompt, {}) };
    return read.length < 2 ? [own] : [own, { id, answer: 'other', call: rewardCall(other, truth, prompt, {}) }];
  });
}
