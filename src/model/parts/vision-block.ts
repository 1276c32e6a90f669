/** One block of a vision tower: bidirectional attention within a picture or a window of it, then an MLP; each added to its input. */
import type * as tf from '@tensorflow/tfjs';
import { attentionBackward, attentionForward, type AttentionInputs, type AttentionResult, type AttentionShape } from '../../kernels/attention.ts';
import { viewOf, type MatrixView } from '../../kernels/matmul.ts';
import { normBackward, normForward, type NormWeights } from '../../kernels/norm.ts';
import { rotaryBackward, rotaryForward } from '../../kernels/rotary.ts';
import { free } from './free.ts';
import type { LinearGroup, LowRankInputs } from './linear-group.ts';
import type { PassContext } from './pass-context.ts';
import type { Mlp } from './mlp.ts';
import type { SequenceContext } from './sequence.ts';

export interface VisionBlockWeights {
  norm1: NormWeights;
  /** q, k and v in one matrix. */
  qkv: LinearGroup;
  proj: LinearGroup;
  norm2: NormWeights;
  mlp: Mlp;
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
  mlp: unknown;
}

export class VisionBlock {
  constructor(
    private readonly weights: VisionBlockWeights,
    private readonly heads: number,
    private readonly headDim: number,
  ) {}

  /** x [patches, hidden] -> [patches, hidden]; `saved` goes to backward or discard. */
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
    const { y, saved: mlp } = weights.mlp.forward(context, normedMiddle, middle);
    return { y, saved: { normed, hQkv, qkv, qRotated, kRotated, attention, hProj, middle, normedMiddle, mlp } };
  }

  /** Adds adapter gradients and returns the gradient of x, or null when nothing below needs it. Disposes `saved`, not x and dy. */
  backward(context: PassContext, sequence: SequenceContext, x: tf.Tensor, saved: VisionBlockSaved, dy: tf.Tensor, needInput: boolean): tf.Tensor | null {
    const { gpu } = context;
    const { weights, heads, headDim } = this;
    const rows = x.shape[0];
    const dNormedMiddle = weights.mlp.backward(context, saved.normedMiddle, saved.mlp, dy);
    const dMiddle = normBackward(gpu, saved.middle, weights.norm2, dNormedMiddle, dy);
    free(dNormedMiddle, saved.normedMiddle, saved.middle);
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

  /** Frees what a forward pass kept when no backward pass follows. */
  discard({ attention, mlp, ...rest }: VisionBlockSaved): void {
    this.weights.mlp.discard(mlp);
    free(attention.output, attention.stats, ...Object.values(rest));
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
