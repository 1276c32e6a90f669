/** What differs between the training methods: what one optimizer step consists of, and what it reports. */
import type { CompletionGroup } from '../../protocol/messages.ts';

/**
 * Lets the loop obey the page between two pieces of a step.
 * @returns false when the run is to stop
 */
export type Breathe = () => Promise<boolean>;

/** Figures of a step, once the GPU has computed it. */
export interface StepFigures {
  loss: number;
  /** By the name they have in the log; the log's row holds their means over its window. */
  metrics: Readonly<Record<string, number>>;
}

export interface SampledAnswers {
  groups: CompletionGroup[];
  /** By training sample; kept once for the run. */
  images: ReadonlyMap<number, Blob>;
}

/** One optimizer step's gradient, on its way through the GPU. */
export interface StepWork {
  /** Tokens trained on, prompt and image tokens included. */
  tokens: number;
  samples: number;
  /** What the step counts in the window's means. */
  weight: number;
  read(): Promise<StepFigures>;
  /** Sampled answers, for methods that sample. */
  completions?: () => Promise<SampledAnswers>;
}

export interface TrainingMethod {
  /** Optimizer steps of the whole run. */
  readonly totalSteps: number;
  /** Epochs done after `step` steps, fractional. */
  epochAfter(step: number): number;
  /** Samples done after `step` steps, for the method whose checkpoints are counted and named by samples. */
  samplesAfter?(step: number): number;
  /** What has to be known before the first step that this worker makes. */
  prepare?(breathe: Breathe): Promise<void>;
  /**
   * Adds the gradient of the step after `step` finished ones to the gradient buffer.
   * @returns null when `breathe` said stop
   */
  accumulate(step: number, breathe: Breathe): Promise<StepWork | null>;
  /** Files of a checkpoint after `step` steps, besides adapter and optimizer: what the next step needs of the steps before. */
  store?(step: number): Map<string, Uint8Array>;
  /** Takes those files back. Called without any when the checkpoint has none. */
  restore?(step: number, files: ReadonlyMap<string, Uint8Array>): void;
}
