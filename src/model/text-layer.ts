/** One decoder layer: attention with per-head norms and rotary positions, then SwiGLU; each added to its input. */
import type * as tf from '@tensorflow/tfjs';
import { swigluBackward, swigluForward } from '../kernels/activation.ts';
import { attentionBackward, attentionForward, type AttentionInputs, type AttentionResult, type AttentionShape } from '../kernels/attention.ts';
import { viewOf } from '../kernels/matmul.ts';
import { normBackward, normForward, type NormWeights } from '../kernels/norm.ts';
import { rotaryBackward, rotaryForward, type HeadNorm, type RotaryTables } from '../kernels/rotary.ts';
import { free } from './free.ts';
import type { LinearGroup, LowRankInputs, PassContext } from './linear-group.ts';

/** Frozen parts of a decoder layer. */
export interface TextLayerWeights {
  inputNorm: NormWeights;
  qkv: LinearGroup;
  qNorm: HeadNorm;
  kNorm: HeadNorm;
  o: LinearGroup;
  postAttentionNorm: NormWeights;
  gateUp: LinearGroup;
  down: LinearGroup;
}

/** Sizes that all layers share. */
export interface TextShape {
  heads: number;
  kvHeads: number;
  headDim: number;
}

/** Packed rows of a batch. */
export interface SequenceContext {
  rotary: RotaryTables;
  /** int32 [rows, 2] */
  bounds: tf.Tensor;
}

/** What the backward pass of a layer needs besides its input. */
export interface TextLayerSaved {
  normed: tf.Tensor;
  hQkv: LowRankInputs;
  q: tf.Tensor;
  k: tf.Tensor;
  v: tf.Tensor;
  qRotated: tf.Tensor;
  kRotated: tf.Tensor;
  attention: AttentionResult;
  hO: LowRankInputs;
  middle: tf.Tensor;
  normedMiddle: tf.Tensor;
  hGateUp: LowRankInputs;
  gate: tf.Tensor;
  up: tf.Tensor;
  activated: tf.Tensor;
  hDown: LowRankInputs;
}

export class TextLayer {
  constructor(
    private readonly weights: TextLayerWeights,
    private readonly shape: TextShape,
  ) {}

  /** x [rows, hidden] -> [rows, hidden]; `saved` must be given to backward or to disposeSaved. */
  forward(context: PassContext, sequence: SequenceContext, x: tf.Tensor): { y: tf.Tensor; saved: TextLayerSaved } {
    const { gpu } = context;
    const { weights } = this;
    const normed = normForward(gpu, x, weights.inputNorm);
    const { outputs: [q, k, v], h: hQkv } = weights.qkv.forward(context, normed);
    const { heads, kvHeads, headDim } = this.shape;
    const rows = x.shape[0];
    const qRotated = rotaryForward(gpu, viewOf(q), rows, heads, headDim, sequence.rotary, weights.qNorm);
    const kRotated = rotaryForward(gpu, viewOf(k), rows, kvHeads, headDim, sequence.rotary, weights.kNorm);
    const attention = attentionForward(gpu, this.attentionInputs(sequence, qRotated, kRotated, v), this.attentionShape(rows));
    const { outputs: [middle], h: hO } = weights.o.forward(context, attention.output, x);
    const normedMiddle = normForward(gpu, middle, weights.postAttentionNorm);
    const { outputs: [gate, up], h: hGateUp } = weights.gateUp.forward(context, normedMiddle);
    const activated = swigluForward(gpu, gate, up);
    const { outputs: [y], h: hDown } = weights.down.forward(context, activated, middle);
    return { y, saved: { normed, hQkv, q, k, v, qRotated, kRotated, attention, hO, middle, normedMiddle, hGateUp, gate, up, activated, hDown } };
  }

  /** Adds adapter gradients; returns the gradient of x, or null when nothing below needs it. Disposes `saved`, not x and dy. */
  backward(context: PassContext, sequence: SequenceContext, x: tf.Tensor, saved: TextLayerSaved, dy: tf.Tensor, needInput: boolean): tf.Tensor | null {
    const { gpu } = context;
    const { weights } = this;
    const { heads, kvHeads, headDim } = this.shape;
    const rows = x.shape[0];
    const dActivated = weights.down.backward(context, saved.activated, saved.hDown, [viewOf(dy)], true)!;
    const { dGate, dUp } = swigluBackward(gpu, saved.gate, saved.up, dActivated);
    free(dActivated, saved.activated, saved.hDown, saved.gate, saved.up);
    const dNormedMiddle = weights.gateUp.backward(context, saved.normedMiddle, saved.hGateUp, [viewOf(dGate), viewOf(dUp)], true)!;
    free(dGate, dUp, saved.normedMiddle, saved.hGateUp);
    const dMiddle = normBackward(gpu, saved.middle, weights.postAttentionNorm, dNormedMiddle, dy);
    free(dNormedMiddle, saved.middle);
    const dAttention = weights.o.backward(context, saved.attention.output, saved.hO, [viewOf(dMiddle)], true)!;
    const dv = gpu.empty(saved.v.shape);
    const inputs = this.attentionInputs(sequence, saved.qRotated, saved.kRotated, saved.v);
    const { dq: dqRotated, dk: dkRotated } = attentionBackward(gpu, inputs, this.attentionShape(rows), saved.attention, dAttention, viewOf(dv));
    free(dAttention, saved.attention.output, saved.attention.stats, saved.hO, saved.qRotated, saved.kRotated, saved.v);
    const dq = gpu.empty(saved.q.shape);
    const dk = gpu.empty(saved.k.shape);
    rotaryBackward(gpu, viewOf(saved.q), rows, heads, headDim, sequence.rotary, weights.qNorm, viewOf(dqRotated), viewOf(dq));
    rotaryBackward(gpu, viewOf(saved.k), rows, kvHeads, headDim, sequence.rotary, weights.kNorm, viewOf(dkRotated), viewOf(dk));
    free(dqRotated, dkRotated, saved.q, saved.k);
    const dNormed = weights.qkv.backward(context, saved.normed, saved.hQkv, [viewOf(dq), viewOf(dk), viewOf(dv)], needInput);
    free(dq, dk, dv, saved.normed, saved.hQkv);
    const dx = dNormed && normBackward(gpu, x, weights.inputNorm, dNormed, dMiddle);
    free(dNormed, dMiddle);
    return dx;
  }

  /**
   * One new token per sequence, without gradient.
   * @param attend stores the new keys and values and returns the attention output for the queries
   */
  decode(context: PassContext, rotary: RotaryTables, x: tf.Tensor, attend: (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => tf.Tensor): tf.Tensor {
    const { gpu } = context;
    const { weights } = this;
    const { heads, kvHeads, headDim } = this.shape;
    const rows = x.shape[0];
    const normed = normForward(gpu, x, weights.inputNorm);
    const { outputs: [q, k, v], h: hQkv } = weights.qkv.forward(context, normed);
    const qRotated = rotaryForward(gpu, viewOf(q), rows, heads, headDim, rotary, weights.qNorm);
    const kRotated = rotaryForward(gpu, viewOf(k), rows, kvHeads, headDim, rotary, weights.kNorm);
    const attended = attend(qRotated, kRotated, v);
    free(normed, q, k, v, hQkv, qRotated, kRotated);
    const { outputs: [middle], h: hO } = weights.o.forward(context, attended, x);
    const normedMiddle = normForward(gpu, middle, weights.postAttentionNorm);
    const { outputs: [gate, up], h: hGateUp } = weights.gateUp.forward(context, normedMiddle);
    const activated = swigluForward(gpu, gate, up);
    const { outputs: [y], h: hDown } = weights.down.forward(context, activated, middle);
    free(attended, hO, middle, normedMiddle, hGateUp, gate, up, activated, hDown);
    return y;
  }

  private attentionInputs(sequence: SequenceContext, q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): AttentionInputs {
    return { q: viewOf(q), k: viewOf(k), v: viewOf(v), bounds: sequence.bounds };
  }

  private attentionShape(rows: number): AttentionShape {
    return { rows, ...this.shape, causal: true };
  }
}

/** Frees what a forward pass kept when no backward pass follows. */
export function disposeTextSaved(saved: TextLayerSaved): void {
  const { attention, ...rest } = saved;
  free(attention.output, attention.stats, ...Object.values(rest));
}
