/** down(silu(gate x) · up x), the MLP of decoders and of Qwen2.5-VL's vision tower. */
import type * as tf from '@tensorflow/tfjs';
import { swigluBackward, swigluForward } from '../../kernels/activation.ts';
import { viewOf } from '../../kernels/matmul.ts';
import { free } from './free.ts';
import type { LinearGroup, LowRankInputs } from './linear-group.ts';
import type { PassContext } from './pass-context.ts';
import type { Mlp } from './mlp.ts';

export interface GatedMlpSaved {
  hGateUp: LowRankInputs;
  gate: tf.Tensor;
  up: tf.Tensor;
  activated: tf.Tensor;
  hDown: LowRankInputs;
}

export class GatedMlp implements Mlp<GatedMlpSaved> {
  constructor(
    private readonly gateUp: LinearGroup,
    private readonly down: LinearGroup,
  ) {}

  forward(context: PassContext, x: tf.Tensor, residual: tf.Tensor): { y: tf.Tensor; saved: GatedMlpSaved } {
    const { outputs: [gate, up], h: hGateUp } = this.gateUp.forward(context, x);
    const activated = swigluForward(context.gpu, gate, up);
    const { outputs: [y], h: hDown } = this.down.forward(context, activated, residual);
    return { y, saved: { hGateUp, gate, up, activated, hDown } };
  }

  backward(context: PassContext, x: tf.Tensor, saved: GatedMlpSaved, dy: tf.Tensor): tf.Tensor {
    const dActivated = this.down.backward(context, saved.activated, saved.hDown, [viewOf(dy)], true)!;
    const { dGate, dUp } = swigluBackward(context.gpu, saved.gate, saved.up, dActivated);
    free(dActivated, saved.activated, saved.hDown, saved.gate, saved.up);
    const dx = this.gateUp.backward(context, x, saved.hGateUp, [viewOf(dGate), viewOf(dUp)], true)!;
    free(dGate, dUp, saved.hGateUp);
    return dx;
  }

  discard(saved: GatedMlpSaved): void {
    free(...Object.values(saved));
  }
}
