/** What the layers of a pass share: the packed rows, and how they see each other. */
import type * as tf from '@tensorflow/tfjs';
import type { DeltaBatch } from '../../kernels/delta-batch.ts';
import type { RotaryTables } from '../../kernels/rotary.ts';

/** Packed rows of a batch, or the patches of its images. */
export interface SequenceContext {
  rotary: RotaryTables;
  /** int32 [rows, 2]: first and one-past-last row of each row's own segment or picture. */
  bounds: tf.Tensor;
}

/** Packed samples in a decoder. */
export interface TextSequence extends SequenceContext {
  /** int32 [rows, 2]: rows of the shared prompt that each row's segment continues; absent where samples share none. */
  prefixes?: tf.Tensor;
  /** Rows of each sample, end to end from row 0; samples that share a prompt count as one. Padding follows. */
  lengths: readonly number[];
  /** How recurrent layers cut the samples; null where the model has none. */
  delta: DeltaBatch | null;
  /** The pass is over prompts that are to be continued. */
  capturing: boolean;
}

/** One new token for each of several sequences. */
export interface DecodeStep {
  /** Of the new tokens. */
  rotary: RotaryTables;
  /** int32 [sequences]: row of the sequence's own keys and values that the new token takes. */
  rows: tf.Tensor;
  /** int32 [sequences, 4]: first row and number of rows of each sequence's prompt, then of its own, the new token included. */
  spans: tf.Tensor;
}
