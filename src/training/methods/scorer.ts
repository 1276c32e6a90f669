/** What GRPO asks of the rewards; put together by the session from a scheme and the user's own functions. */
import type { LabelledBox } from '../../protocol/messages.ts';
import type { ScoredPrompt } from '../../protocol/reward-messages.ts';
import type { EncodedSample } from '../../processing/types.ts';

/** A prompt to sample answers for, with what is known about the right one. */
export interface RolloutPrompt extends ScoredPrompt {
  /** Position in its split. */
  index: number;
  id: string;
  /** The prompt alone; labels carry no loss. */
  encoded: EncodedSample;
  truthBoxes: LabelledBox[];
  image: Blob | null;
}

/** A reward that gave nothing usable, and how often. */
export interface RewardFault {
  name: string;
  count: number;
  reason: string;
}

export interface Scorer {
  /** Names of the reward terms, the scheme's first. */
  readonly terms: readonly string[];
  /** Weight of each term. */
  readonly weights: readonly number[];
  /** One row per answer, one value per term; null where a term gave nothing usable. */
  score(answers: readonly { prompt: RolloutPrompt; completion: string }[]): Promise<{ rewards: (number | null)[][]; faults: RewardFault[] }>;
  /** Ends what runs the user's own functions. */
  close(): void;
}

/** Ids and texts of answers. */
export interface AnswerReader {
  readonly stopIds: readonly number[];
  readonly imageTokenId: number;
  decode(ids: readonly number[]): string;
  /** Boxes of an answer to this prompt, in thousandths whatever their unit in the text. */
  boxes(answer: string, prompt: Pick<ScoredPrompt, 'imageSize'>): LabelledBox[];
  /** Detection metrics under their names in the log. */
  metrics(pairs: readonly { truth: string; answer: string }[]): Record<string, number>;
}
