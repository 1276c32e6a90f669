/** Joins 2 × 2 neighbouring patches into one language-model token. */
import type * as tf from '@tensorflow/tfjs';
import { geluBackward, geluForward } from '../kernels/activation.ts';
import { viewOf } from '../kernels/matmul.ts';
import { normBackward, normForward, type NormWeights } from '../kernels/norm.ts';
import { free } from './free.ts';
import type { LinearGroup, LowRankInputs, PassContext } from './linear-group.ts';

export interface PatchMergerWeights {
  /** Over one patch in the main merger, over the joined patches in deepstack mergers; its size tells which. */
  norm: NormWeights;
  fc1: LinearGroup;
  fc2: LinearGroup;
}

export interface PatchMergerSaved {
  normed: tf.Tensor;
  h1: LowRankInputs;
  inner: tf.Tensor;
  activated: tf.Tensor;
  h2: LowRankInputs;
}

export class PatchMerger {
  constructor(
    private readonly weights: PatchMergerWeights,
    /** Width of the joined patches. */
    private readonly width: number,
  ) {}

  /** x [patches, hidden] -> [tokens, text hidden]. */
  forward(context: PassContext, x: tf.Tensor): { y: tf.Tensor; saved: PatchMergerSaved } {
    const { gpu } = context;
    const single = normForward(gpu, x, this.weights.norm);
    const normed = single.reshape([x.size / this.width, this.width]);
    single.dispose();
    const { outputs: [inner], h: h1 } = this.weights.fc1.forward(context, normed);
    const activated = geluForward(gpu, 'geluExact', inner);
    const { outputs: [y], h: h2 } = this.weights.fc2.forward(context, activated);
    return { y, saved: { normed, h1, inner, activated, h2 } };
  }

  /** Gradient of x plus `addend`; adds adapter gradients. Disposes `saved`, not x, dy and addend. Null when nothing below needs it. */
  backward(context: PassContext, x: tf.Tensor, saved: PatchMergerSaved, dy: tf.Tensor, needInput: boolean, addend?: tf.Tensor): tf.Tensor | null {
    const { gpu } = context;
    const dActivated = this.weights.fc2.backward(context, saved.activated, saved.h2, [viewOf(dy)], true)!;
    const dInner = geluBackward(gpu, 'geluExact', saved.inner, dActivated);
    const dNormed = this.weights.fc1.backward(context, saved.normed, saved.h1, [viewOf(dInner)], needInput);
    const dx = dNormed && normBackward(gpu, x, this.weights.norm, dNormed, addend);
    free(dActivated, dInner, dNormed);
    disposeMergerSaved(saved);
    return dx;
  }
}

/** Frees what a forward pass kept. */
export function disposeMergerSaved(saved: PatchMergerSaved): void {
  free(...Object.values(saved));
}
