/** Joins spatialMergeSize² neighbouring patches into one language-model token. */
import type * as tf from '@tensorflow/tfjs';
import { normBackward, normForward, type NormWeights } from '../../kernels/norm.ts';
import { free } from './free.ts';
import type { GeluMlp, GeluMlpSaved } from './gelu-mlp.ts';
import type { PassContext } from './pass-context.ts';

export interface PatchMergerSaved {
  normed: tf.Tensor;
  mlp: GeluMlpSaved;
}

export class PatchMerger {
  constructor(
    /** Over single patches or over joined ones; its size tells which. */
    private readonly norm: NormWeights,
    private readonly mlp: GeluMlp,
    /** Width of the joined patches. */
    private readonly width: number,
  ) {}

  /** x [patches, hidden] -> [tokens, text hidden]. */
  forward(context: PassContext, x: tf.Tensor): { y: tf.Tensor; saved: PatchMergerSaved } {
    const single = normForward(context.gpu, x, this.norm);
    const normed = single.reshape([x.size / this.width, this.width]);
    single.dispose();
    const { y, saved: mlp } = this.mlp.forward(context, normed);
    return { y, saved: { normed, mlp } };
  }

  /** Gradient of x plus `addend`; adds adapter gradients. Disposes `saved`, not x, dy and addend. Null when nothing below needs it. */
  backward(context: PassContext, x: tf.Tensor, saved: PatchMergerSaved, dy: tf.Tensor, needInput: boolean, addend?: tf.Tensor): tf.Tensor | null {
    const dNormed = this.mlp.backward(context, saved.normed, saved.mlp, dy, needInput);
    const dx = dNormed && normBackward(context.gpu, x, this.norm, dNormed, addend);
    free(dNormed, saved.normed);
    return dx;
  }

  /** Frees what a forward pass kept. */
  discard({ normed, mlp }: PatchMergerSaved): void {
    this.mlp.discard(mlp);
    free(normed);
  }
}
