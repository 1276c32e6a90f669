/** One block of the vision tower: bidirectional attention within an image, then a GELU MLP; each added to its input. */
import type * as tf from '@tensorflow/tfjs';
import { geluBackward, geluForward } from '../kernels/activation.ts';
import { attentionBackward, attentionForward, type AttentionInputs, type AttentionResult, type AttentionShape } from '../kernels/attention.ts';
import { viewOf, type MatrixView } from '../kernels/matmul.ts';
import { normBackward, normForward, type NormWeights } from '../kernels/norm.ts';
import { rotaryBackward, rotaryForward } from '../kernels/rotary.ts';
import { free } from './free.ts';
import type { LinearGroup, LowRankInputs, PassContext } from './linear-group.ts';
import type { SequenceContext } from './text-layer.ts';

export interface VisionBlockWeights {
  norm1: NormWeights;
  qkv: LinearGroup;
  proj: LinearGroup;
  norm2: NormWeights;
  fc1: LinearGroup;
  fc2: LinearGroup;
}

export interface VisionBlockSaved {
  normed: tf.Tensor;
  hQkv: LowRankInputs;
  qkv: tf.Tensor;
  qRotated: tf.Tensor;
  kRotated: tf.Tensor;
  attention: AttentionResult;
  hProj: LowRankInputs;
  middle: tf.Tensor;
  normedMiddle: tf.Tensor;
  hFc1: LowRankInputs;
  inner: tf.Tensor;
  activated: tf.Tensor;
  hFc2: LowRankInputs;
}

export class VisionBlock {
  constructor(
    private readonly weights: VisionBlockWeights,
    private readonly heads: number,
    private readonly headDim: number,
  ) {}

  /** x [patches, hidden] -> [patches, hidden]; `saved` goes to backward or disposeVisionSaved. */
  forward(context: PassContext, sequence: SequenceContext, x: tf.Tensor): { y: tf.Tensor; saved: VisionBlockSaved } {
    const { gpu } = context;
    const { weights, heads, headDim } = this;
    const rows = x.shape[0];
    const normed = normForward(gpu, x, weights.norm1);
    const { outputs: [qkv], h: hQkv } = weights.qkv.forward(context, normed);
    const qRotated = rotaryForward(gpu, this.part(qkv, 0), rows, heads, headDim, sequence.rotary, null);
    const kRotated = rotaryForward(gpu, this.part(qkv, 1), rows, heads, headDim, sequence.rotary, null);
    const attention = attentionForward(gpu, this.attentionInputs(sequence, qRotated, kRotated, qkv), this.attentionShape(rows));
    const { outputs: [middle], h: hProj } = weights.proj.forward(context, attention.output, x);
    const normedMiddle = normForward(gpu, middle, weights.norm2);
    const { outputs: [inner], h: hFc1 } = weights.fc1.forward(context, normedMiddle);
    const activated = geluForward(gpu, 'geluTanh', inner);
    const { outputs: [y], h: hFc2 } = weights.fc2.forward(context, activated, middle);
    return { y, saved: { normed, hQkv, qkv, qRotated, kRotated, attention, hProj, middle, normedMiddle, hFc1, inner, activated, hFc2 } };
  }

  /** Adds adapter gradients and returns the gradient of x, or null when nothing below needs it. Disposes `saved`, not x and dy. */
  backward(context: PassContext, sequence: SequenceContext, x: tf.Tensor, saved: VisionBlockSaved, dy: tf.Tensor, needInput: boolean): tf.Tensor | null {
    const { gpu } = context;
    const { weights, heads, headDim } = this;
    const rows = x.shape[0];
    const dActivated = weights.fc2.backward(context, saved.activated, saved.hFc2, [viewOf(dy)], true)!;
    const dInner = geluBackward(gpu, 'geluTanh', saved.inner, dActivated);
    free(dActivated, saved.activated, saved.hFc2, saved.inner);
    const dNormedMiddle = weights.fc1.backward(context, saved.normedMiddle, saved.hFc1, [viewOf(dInner)], true)!;
    free(dInner, saved.normedMiddle, saved.hFc1);
    const dMiddle = normBackward(gpu, saved.middle, weights.norm2, dNormedMiddle, dy);
    free(dNormedMiddle, saved.middle);
    const dAttention = weights.proj.backward(context, saved.attention.output, saved.hProj, [viewOf(dMiddle)], true)!;
    const dQkv = gpu.empty(saved.qkv.shape);
    const inputs = this.attentionInputs(sequence, saved.qRotated, saved.kRotated, saved.qkv);
    const { dq, dk } = attentionBackward(gpu, inputs, this.attentionShape(rows), saved.attention, dAttention, this.part(dQkv, 2));
    free(dAttention, saved.attention.output, saved.attention.stats, saved.hProj, saved.qRotated, saved.kRotated);
    rotaryBackward(gpu, this.part(saved.qkv, 0), rows, heads, headDim, sequence.rotary, null, viewOf(dq), this.part(dQkv, 0));
    rotaryBackward(gpu, this.part(saved.qkv, 1), rows, heads, headDim, sequence.rotary, null, viewOf(dk), this.part(dQkv, 1));
    free(dq, dk, saved.qkv);
    const dNormed = weights.qkv.backward(context, saved.normed, saved.hQkv, [viewOf(dQkv)], needInput);
    free(dQkv, saved.normed, saved.hQkv);
    const dx = dNormed && normBackward(gpu, x, weights.norm1, dNormed, dMiddle);
    free(dNormed, dMiddle);
    return dx;
  }

  /** Columns of q (0), k (1) or v (2) in the joint projection. */
  private part(qkv: tf.Tensor, index: 0 | 1 | 2): MatrixView {
    return { data: qkv, stride: qkv.shape[1]!, offset: index * this.heads * this.headDim };
  }

  private attentionInputs(sequence: SequenceContext, q: tf.Tensor, k: tf.Tensor, qkv: tf.Tensor): AttentionInputs {
    return { q: viewOf(q), k: viewOf(k), v: this.part(qkv, 2), bounds: sequence.bounds };
  }

  private attentionShape(rows: number): AttentionShape {
    return { rows, heads: this.heads, kvHeads: this.heads, headDim: this.headDim, causal: false };
  }
}

/** Frees what a forward pass kept when no backward pass follows. */
export function disposeVisionSaved(saved: VisionBlockSaved): void {
  const { attention, ...rest } = saved;
  free(attention.output, attention.stats, ...Object.values(rest));
}
