/** The second half of a layer. */
import type * as tf from '@tensorflow/tfjs';
import type { PassContext } from './pass-context.ts';

/** `S`: what its backward pass needs besides its input. */
export interface Mlp<S = unknown> {
  /** x [rows, hidden] -> mlp(x) + residual. `saved` goes to backward or discard. */
  forward(context: PassContext, x: tf.Tensor, residual: tf.Tensor): { y: tf.Tensor; saved: S };
  /** Adds adapter gradients and returns the gradient of x. Disposes `saved`, not x and dy. */
  backward(context: PassContext, x: tf.Tensor, saved: S, dy: tf.Tensor): tf.Tensor;
  discard(saved: S): void;
}
