/** The first half of a decoder layer: what lets tokens see each other. */
import type * as tf from '@tensorflow/tfjs';
import type { LayerState, SequenceState } from './layer-state.ts';
import type { PassContext } from './pass-context.ts';
import type { DecodeStep, SequenceContext } from './sequence.ts';

/** `S`: what its backward pass needs besides its input. */
export interface Mixer<S = unknown> {
  /** x [rows, hidden] -> mix(x) + residual. `saved` goes to backward, discard or capture. */
  forward(context: PassContext, sequence: SequenceContext, x: tf.Tensor, residual: tf.Tensor): { y: tf.Tensor; saved: S };
  /** Adds adapter gradients; returns the gradient of x, or null when nothing below needs it. Disposes `saved`, not x and dy. */
  backward(context: PassContext, sequence: SequenceContext, x: tf.Tensor, saved: S, dy: tf.Tensor, needInput: boolean): tf.Tensor | null;
  discard(saved: S): void;
  /** Keeps of a pass over prompts what their continuations need, discards the rest. */
  capture(context: PassContext, sequence: SequenceContext, saved: S): LayerState;
  /** One new token for each sequence, x [sequences, hidden] -> mix(x) + residual, without gradient; the state moves on. */
  decode(context: PassContext, step: DecodeStep, x: tf.Tensor, residual: tf.Tensor, state: SequenceState): tf.Tensor;
}
