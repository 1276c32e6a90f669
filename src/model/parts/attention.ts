/** Grouped-query attention with rotary positions and, where the family has them, per-head norms and a gate on its output. */
import type * as tf from '@tensorflow/tfjs';
import { attentionDecode, type CachedRows } from '../../kernels/attention-decode.ts';
import { attentionBackward, attentionForward, type AttentionInputs, type AttentionResult, type AttentionShape } from '../../kernels/attention.ts';
import type { HeadView } from '../../kernels/head-view.ts';
import { viewOf } from '../../kernels/matmul.ts';
import { outputGateBackward, outputGateForward } from '../../kernels/output-gate.ts';
import { rotaryBackward, rotaryForward, type HeadNorm } from '../../kernels/rotary.ts';
import { scatterRows } from '../../kernels/rows.ts';
import type { Gpu } from '../../gpu/gpu.ts';
import { free } from './free.ts';
import type { ForkPlan, LayerState, SequenceState } from './layer-state.ts';
import type { LinearGroup, LowRankInputs } from './linear-group.ts';
import type { PassContext } from './pass-context.ts';
import type { Mixer } from './mixer.ts';
import type { DecodeStep, SequenceContext, TextSequence } from './sequence.ts';

export interface AttentionWeights {
  /** q, k and v. */
  qkv: LinearGroup;
  qNorm: HeadNorm | null;
  kNorm: HeadNorm | null;
  o: LinearGroup;
}

/** Sizes that all layers share. */
export interface HeadShape {
  heads: number;
  kvHeads: number;
  headDim: number;
}

export interface AttentionSaved {
  hQkv: LowRankInputs;
  q: tf.Tensor;
  k: tf.Tensor;
  v: tf.Tensor;
  qRotated: tf.Tensor;
  kRotated: tf.Tensor;
  attention: AttentionResult;
  /** What o reads; the attention's own output where there is no gate. */
  gatedOutput: tf.Tensor | null;
  hO: LowRankInputs;
}

export class Attention implements Mixer<AttentionSaved> {
  constructor(
    private readonly weights: AttentionWeights,
    private readonly shape: HeadShape,
    /** The query projection gives, head by head, first the query and then as many gates. */
    private readonly gated = false,
  ) {}

  forward(context: PassContext, sequence: TextSequence, x: tf.Tensor, residual: tf.Tensor): { y: tf.Tensor; saved: AttentionSaved } {
    const { gpu } = context;
    const { weights } = this;
    const rows = x.shape[0];
    const { outputs: [q, k, v], h: hQkv } = weights.qkv.forward(context, x);
    const { qRotated, kRotated } = this.rotate(gpu, sequence.rotary, q, k);
    const attention = attentionForward(gpu, inputsOf(sequence, qRotated, kRotated, v), this.attentionShape(rows));
    const gatedOutput = this.gated ? outputGateForward(gpu, attention.output, this.gateOf(q), this.shape.headDim) : null;
    const { outputs: [y], h: hO } = weights.o.forward(context, gatedOutput ?? attention.output, residual);
    return { y, saved: { hQkv, q, k, v, qRotated, kRotated, attention, gatedOutput, hO } };
  }

  backward(context: PassContext, sequence: TextSequence, x: tf.Tensor, saved: AttentionSaved, dy: tf.Tensor, needInput: boolean): tf.Tensor | null {
    const { gpu } = context;
    const { weights } = this;
    const { heads, kvHeads, headDim } = this.shape;
    const rows = x.shape[0];
    const dOutput = weights.o.backward(context, saved.gatedOutput ?? saved.attention.output, saved.hO, [viewOf(dy)], true)!;
    const dq = gpu.empty(saved.q.shape);
    const dAttention = this.gated ? outputGateBackward(gpu, saved.attention.output, this.gateOf(saved.q), headDim, dOutput, this.gateOf(dq)) : dOutput;
    if (this.gated) free(dOutput, saved.gatedOutput);
    const dv = gpu.empty(saved.v.shape);
    const { dq: dqRotated, dk: dkRotated } = attentionBackward(gpu, inputsOf(sequence, saved.qRotated, saved.kRotated, saved.v), this.attentionShape(rows), saved.attention, dAttention, viewOf(dv));
    free(dAttention, saved.attention.output, saved.attention.stats, saved.hO, saved.qRotated, saved.kRotated, saved.v);
    const dk = gpu.empty(saved.k.shape);
    rotaryBackward(gpu, this.queryOf(saved.q), rows, heads, headDim, sequence.rotary, weights.qNorm, viewOf(dqRotated), this.queryOf(dq));
    rotaryBackward(gpu, viewOf(saved.k), rows, kvHeads, headDim, sequence.rotary, weights.kNorm, viewOf(dkRotated), viewOf(dk));
    free(dqRotated, dkRotated, saved.q, saved.k);
    const dx = weights.qkv.backward(context, x, saved.hQkv, [viewOf(dq), viewOf(dk), viewOf(dv)], needInput);
    free(dq, dk, dv, saved.hQkv);
    return dx;
  }

  activations({ q, gatedOutput }: AttentionSaved): Record<string, tf.Tensor> {
    return gatedOutput ? { 'full.q': q, 'full.gated_out': gatedOutput } : {};
  }

  discard({ attention, ...rest }: AttentionSaved): void {
    free(attention.output, attention.stats, ...Object.values(rest));
  }

  capture({ gpu }: PassContext, _: TextSequence, saved: AttentionSaved): LayerState {
    const prompts = { keys: saved.kRotated.clone(), values: saved.v.clone() };
    this.discard(saved);
    return new KeyValues(gpu, prompts);
  }

  decode(context: PassContext, step: DecodeStep, x: tf.Tensor, residual: tf.Tensor, state: SequenceState): tf.Tensor {
    const { gpu } = context;
    const { weights, shape } = this;
    const { prompts, own } = state as ForkedKeyValues;
    const { outputs: [q, k, v], h: hQkv } = weights.qkv.forward(context, x);
    const { qRotated, kRotated } = this.rotate(gpu, step.rotary, q, k);
    scatterRows(gpu, kRotated, step.rows, own.keys);
    scatterRows(gpu, v, step.rows, own.values);
    const attended = attentionDecode(gpu, qRotated, prompts, own, step.spans, shape);
    const gatedOutput = this.gated ? outputGateForward(gpu, attended, this.gateOf(q), shape.headDim) : null;
    free(q, k, v, hQkv, qRotated, kRotated);
    const { outputs: [y], h: hO } = weights.o.forward(context, gatedOutput ?? attended, residual);
    free(attended, gatedOutput, hO);
    return y;
  }

  private rotate(gpu: Gpu, rotary: SequenceContext['rotary'], q: tf.Tensor, k: tf.Tensor): { qRotated: tf.Tensor; kRotated: tf.Tensor } {
    const { heads, kvHeads, headDim } = this.shape;
    const rows = q.shape[0];
    return {
      qRotated: rotaryForward(gpu, this.queryOf(q), rows, heads, headDim, rotary, this.weights.qNorm),
      kRotated: rotaryForward(gpu, viewOf(k), rows, kvHeads, headDim, rotary, this.weights.kNorm),
    };
  }

  /** The queries among the columns of the query projection. */
  private queryOf(q: tf.Tensor): HeadView {
    return this.gated ? { ...viewOf(q), headStride: 2 * this.shape.headDim } : viewOf(q);
  }

  /** The gates among them. */
  private gateOf(q: tf.Tensor): HeadView {
    const { headDim } = this.shape;
    return { ...viewOf(q), offset: headDim, headStride: 2 * headDim };
  }

  private attentionShape(rows: number): AttentionShape {
    return { rows, ...this.shape, causal: true };
  }
}

function inputsOf({ bounds, prefixes }: TextSequence, q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): AttentionInputs {
  return { q: viewOf(q), k: viewOf(k), v: viewOf(v), bounds, prefixes };
}

/** Keys and values of prompts, rows as they were packed; completions share them. */
class KeyValues implements LayerState {
  constructor(
    private readonly gpu: Gpu,
    private readonly prompts: CachedRows,
  ) {}

  fork({ prompts, capacity }: ForkPlan): ForkedKeyValues {
    const shape = [prompts.length * capacity, this.prompts.keys.shape[1]!];
    return new ForkedKeyValues(this.prompts, { keys: this.gpu.empty(shape), values: this.gpu.empty(shape) });
  }

  dispose(): void {
    free(this.prompts.keys, this.prompts.values);
  }
}

/** The prompts' rows, and a stretch of rows of its own for each slot. */
class ForkedKeyValues implements SequenceState {
  constructor(
    readonly prompts: CachedRows,
    readonly own: CachedRows,
  ) {}

  /** Each slot keeps its stretch of rows. */
  narrow(): void {}

  /** A slot's next sequence writes over the rows of the one before. */
  admit(): void {}

  dispose(): void {
    free(this.own.keys, this.own.values);
  }
}
