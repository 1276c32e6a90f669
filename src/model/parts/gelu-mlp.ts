/** fc2(gelu(fc1 x)), the MLP of most vision towers. */
import type * as tf from '@tensorflow/tfjs';
import { geluBackward, geluForward, type GeluKind } from '../../kernels/activation.ts';
import { viewOf } from '../../kernels/matmul.ts';
import { free } from './free.ts';
import type { LinearGroup, LowRankInputs } from './linear-group.ts';
import type { PassContext } from './pass-context.ts';
import type { Mlp } from './mlp.ts';

export interface GeluMlpSaved {
  h1: LowRankInputs;
  inner: tf.Tensor;
  activated: tf.Tensor;
  h2: LowRankInputs;
}

export class GeluMlp implements Mlp<GeluMlpSaved> {
  constructor(
    private readonly kind: GeluKind,
    private readonly fc1: LinearGroup,
    private readonly fc2: LinearGroup,
  ) {}

  forward(context: PassContext, x: tf.Tensor, residual?: tf.Tensor): { y: tf.Tensor; saved: GeluMlpSaved } {
    const { outputs: [inner], h: h1 } = this.fc1.forward(context, x);
    const activated = geluForward(context.gpu, this.kind, inner);
    const { outputs: [y], h: h2 } = this.fc2.forward(context, activated, residual);
    return { y, saved: { h1, inner, activated, h2 } };
  }

  backward(context: PassContext, x: tf.Tensor, saved: GeluMlpSaved, dy: tf.Tensor): tf.Tensor;
  backward(context: PassContext, x: tf.Tensor, saved: GeluMlpSaved, dy: tf.Tensor, needInput: boolean): tf.Tensor | null;
  backward(context: PassContext, x: tf.Tensor, saved: GeluMlpSaved, dy: tf.Tensor, needInput = true): tf.Tensor | null {
    const dActivated = this.fc2.backward(context, saved.activated, saved.h2, [viewOf(dy)], true)!;
    const dInner = geluBackward(context.gpu, this.kind, saved.inner, dActivated);
    free(dActivated, saved.activated, saved.h2, saved.inner);
    const dx = this.fc1.backward(context, x, saved.h1, [viewOf(dInner)], needInput);
    free(dInner, saved.h1);
    return dx;
  }

  discard(saved: GeluMlpSaved): void {
    free(...Object.values(saved));
  }
}
