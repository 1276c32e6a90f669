/** What a layer remembers between tokens: of prompts once computed, and of the sequences that continue them. */
import type * as tf from '@tensorflow/tfjs';

/** Sequences that continue prompts. */
export interface ForkPlan {
  /** Prompt of each slot, counted in the order of the pass. */
  prompts: readonly number[];
  /** Tokens that each sequence may add. */
  capacity: number;
}

/** State of one layer after a pass over prompts; shared by everything forked from it, so dispose it last. */
export interface LayerState {
  /** State for sequences that each continue one of the prompts; leaves this one as it is. */
  fork(plan: ForkPlan): SequenceState;
  dispose(): void;
}

/** State of one layer for sequences under way; a layer knows its own kind. */
export interface SequenceState {
  /** Goes on with some of the sequences: int32 [left], places among those that took part so far. */
  narrow(index: tf.Tensor): void;
  /** Takes sequences in after them, in slots that others have left, each at the end of its prompt. */
  admit(prompts: readonly number[]): void;
  dispose(): void;
}
