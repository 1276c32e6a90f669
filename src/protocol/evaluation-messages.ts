/** What crosses between page and worker while a whole set is answered by several models. */
import type { TrainingConfig } from './config.ts';
import type { AdapterSource, DatasetProblem, LabelledBox, SplitName } from './messages.ts';

export interface EvaluateRequest {
  type: 'evaluate';
  /** Comes back with the news. */
  turn: number;
  split: SplitName;
  /** The first so many samples; 0 = all. */
  limit: number;
  /** Who answers; null = the base model alone. */
  candidates: readonly (AdapterSource | null)[];
  maxNewTokens: number;
  /** Says how pictures are resized, how many tokens a prompt may have, and how many prompts are answered together (eval_batch_size). */
  config: TrainingConfig;
}

/** A greedy answer to a sample of the set. */
export interface SetAnswer {
  text: string;
  /** In thousandths of the first picture. */
  boxes: LabelledBox[];
  tokens: number;
  /** From the beginning of its batch until its last token was read, the pictures included: prompts that are answered together wait for each other. */
  seconds: number;
  /** By itself, or cut at maxNewTokens. */
  ended: 'stop' | 'length';
  /** Characters of the text up to the end of each token, and the probability that the model gave it. */
  certainty: { ends: number[]; probabilities: number[] };
}

export interface AnsweredSample {
  /** Position in the split. */
  index: number;
  id: string;
  prompt: string;
  /** Empty where the data knows no answer. */
  truth: string;
  truthBoxes: LabelledBox[];
  /** Of the first picture as the model sees it, where boxes are in its pixels. */
  pixelsOf: { width: number; height: number } | null;
  /** The first picture, or the first frame of a clip that was taken apart. */
  image: Blob | null;
  /** One a candidate. */
  answers: SetAnswer[];
}

/** News: samples that have been answered by all candidates since the last, in order. */
export interface EvaluatingEvent {
  type: 'evaluating';
  turn: number;
  done: number;
  total: number;
  /** Null until there is something to go by, and while paused. */
  secondsLeft: number | null;
  paused: boolean;
  samples: AnsweredSample[];
}

/** How a set was answered; the answers themselves came as news. */
export interface EvaluatedSet {
  /** Names of the candidates; null = the base model. */
  names: (string | null)[];
  /** Samples answered, and those of the set that was asked for. */
  answered: number;
  total: number;
  stopped: boolean;
  /** Candidates that share one look at the pictures, by their number: those whose adapter leaves the vision tower alone. */
  sharedVision: boolean[];
  /** Samples that cannot be asked; at most 200 problems are listed. */
  refused: number;
  problems: DatasetProblem[];
  milliseconds: number;
}
