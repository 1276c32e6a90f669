import type * as tf from '@tensorflow/tfjs';

/** Disposes tensors; null and undefined are skipped. */
export function free(...tensors: (tf.Tensor | null | undefined)[]): void {
  for (const tensor of tensors) tensor?.dispose();
}
