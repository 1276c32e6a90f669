/** What crosses between a session and the worker that runs a user's own reward. Plain data only. */

/** What the user's function is given. Boxes are in thousandths of the image. */
export interface RewardCall {
  completion: string;
  /** The dataset's answer. */
  truth: string;
  /** Objects read from the completion and from the truth. */
  objects: RewardCallObject[];
  truthObjects: RewardCallObject[];
  prompt: string;
  /** Further fields of the dataset's sample. */
  extra: Record<string, unknown>;
}

/** What rewards know of a sample, whatever is answered to it. */
export interface ScoredPrompt {
  /** The last question's text. */
  prompt: string;
  /** The dataset's answer; '' where it has none. */
  truth: string;
  /** Columns of the record that nothing else reads; absent if there are none. */
  extra?: Readonly<Record<string, unknown>>;
  /** The first image as the model sees it, in pixels; absent without an image, or before a model has encoded it. */
  imageSize?: { width: number; height: number };
}

export interface RewardCallObject {
  category: string;
  status: string;
  box: [x1: number, y1: number, x2: number, y2: number];
}

/**
 * Why a completion has no reward:
 * "threw" the function failed; "slow" it ran past its time; "undefined" it returned nothing; "not-a-number" something
 * else than a number or null; "nan" and "infinite" no usable number; "source" it could not be loaded at all.
 */
export const CUSTOM_REWARD_FAULTS = ['threw', 'slow', 'undefined', 'not-a-number', 'nan', 'infinite', 'source'] as const;
export type CustomRewardFault = (typeof CUSTOM_REWARD_FAULTS)[number];

/** A position in the text that the user wrote, counted from 1. */
export interface SourcePlace {
  line: number;
  column: number;
}

/** A reward of null without fault is the function's own: this completion does not count for it. */
export type RewardOutcome = { reward: number | null; fault: null } | { reward: null; fault: CustomRewardFault; message: string; /** Where the interpreter tells it. */ place?: SourcePlace };

export type ToRewardWorker =
  | { kind: 'load'; source: string; /** Time for what the source does when it is loaded, and for each call. */ limitMs: number }
  /** `seed` decides what Math.random gives during the call. */
  | { kind: 'score'; id: number; seed: number; call: RewardCall };

export type FromRewardWorker =
  /** The worker is up. */
  | { kind: 'ready' }
  | { kind: 'loaded'; /** Null when it went well. */ fault: { message: string; place?: SourcePlace } | null }
  | { kind: 'scored'; id: number; outcome: RewardOutcome; /** The interpreter is not to be trusted with another call: the worker is to be ended. */ spent?: boolean };
