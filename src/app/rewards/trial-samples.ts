/** What a reward is tried on: answers that the current run sampled, else the dataset's own answers. Pure but for the sample reader. */
import { rewardCall } from '../../objectives/rewards/custom.ts';
import type { RewardOptions } from '../../objectives/rewards/contract.ts';
import type { CompletionGroup, SamplePreview } from '../../protocol/messages.ts';
import type { RewardCall, ScoredPrompt } from '../../protocol/reward-messages.ts';

export interface TrialSample {
  id: string;
  /** Number of a sampled answer in its group, or which of the dataset's answers it is. */
  answer: number | 'own' | 'other';
  call: RewardCall;
}

const MOST_SAMPLED = 12;
/** Samples of the dataset; each is tried with two answers. */
export const FROM_DATASET = 4;

/** Unit of the boxes in the answers. */
type Boxes = NonNullable<RewardOptions['boxes']>;

/** Boxes in pixels mean something only beside the size of their image. */
const isReadable = ({ imageSize }: ScoredPrompt, boxes: Boxes) => boxes === 'thousandths' || imageSize !== undefined;

/** The answers of the first groups, as training scores them. */
export function samplesOfGroups(groups: readonly CompletionGroup[], boxes: Boxes): TrialSample[] {
  return groups
    .filter((group) => isReadable(group, boxes))
    .flatMap((group) => group.completions.map(({ text }, i) => ({ id: group.id, answer: i + 1, call: rewardCall(text, group, boxes) })))
    .slice(0, MOST_SAMPLED);
}

/** Each sample with its own answer, which should score well, and with the next one's, which should not. */
export function samplesOfDataset(previews: readonly SamplePreview[], boxes: Boxes): TrialSample[] {
  const read = previews.filter(({ scored }) => isReadable(scored, boxes));
  return read.flatMap(({ id, scored }, i) => {
    const own: TrialSample = { id, answer: 'own', call: rewardCall(scored.truth, scored, boxes) };
    return read.length < 2 ? [own] : [own, { id, answer: 'other', call: rewardCall(read[(i + 1) % read.length].scored.truth, scored, boxes) }];
  });
}
