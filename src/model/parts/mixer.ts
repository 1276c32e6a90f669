/** The first half of a decoder layer: what lets tokens see each other. */
import type * as tf from '@tensorflow/tfjs';
import type { LayerState, SequenceState } from './layer-state.ts';
import type { PassContext } from './pass-context.ts';
import type { DecodeStep, TextSequence } from './sequence.ts';

/** `S`: what its backward pass needs besides its input. */
export interface Mixer<S = unknown> {
  /** x [rows, hidden] -> mix(x) + residual. `saved` goes to backward, discard or capture. */
  forward(context: PassContext, sequence: TextSequence, x: tf.Tensor, residual: tf.Tensor): { y: tf.Tensor; saved: S };
  /** Adds adapter gradients; returns the gradient of x, or null when nothing below needs it. Disposes `saved`, not x and dy. */
  backward(context: PassContext, sequence: TextSequence, x: tf.Tensor, saved: S, dy: tf.Tensor, needInput: boolean): tf.Tensor | null;
  discard(saved: S): void;
  /** What golden tests compare of a pass: activations by name, still part of `saved`. */
  activations?(saved: S): Readonly<Record<string, tf.Tensor>>;
  /** Keeps of a pass over prompts what their continuations need, discards the rest. */
  capture(context: PassContext, sequence: TextSequence, saved: S): LayerState;
  /** One new token for each sequence, x [sequences, hidden] -> mix(x) + residual, without gradient; the state moves on. */
  decode(context: PassContext, step: DecodeStep, x: tf.Tensor, residual: tf.Tensor, state: SequenceState): tf.Tensor;
}
