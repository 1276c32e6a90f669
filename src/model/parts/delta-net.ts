/**
 * Gated DeltaNet, the mixer of Qwen3.5's linear layers: projections, a short causal convolution, the gated delta rule, a
 * gated norm. Its state has a fixed size, whatever came before; it never crosses the start of a sample.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../../gpu/gpu.ts';
import { causalConvBackward, causalConvForward, causalConvStep, causalConvWindows, type CausalConv } from '../../kernels/causal-conv.ts';
import { deltaGatesBackward, deltaGatesForward, type DeltaGateWeights } from '../../kernels/delta-gates.ts';
import { gatedDeltaBackward } from '../../kernels/gated-delta-backward.ts';
import { gatedDeltaStep } from '../../kernels/gated-delta-step.ts';
import { gatedDeltaForward, type DeltaShape } from '../../kernels/gated-delta.ts';
import { gatedNormBackward, gatedNormForward, type GatedNormWeights } from '../../kernels/gated-norm.ts';
import { viewOf } from '../../kernels/matmul.ts';
import { gatherRows, joinRows } from '../../kernels/rows.ts';
import { invariant } from '../../protocol/errors.ts';
import { free } from './free.ts';
import type { ForkPlan, LayerState, SequenceState } from './layer-state.ts';
import type { LinearGroup, LowRankInputs } from './linear-group.ts';
import type { Mixer } from './mixer.ts';
import type { PassContext } from './pass-context.ts';
import type { DecodeStep, TextSequence } from './sequence.ts';

export interface DeltaNetWeights {
  /** in_proj_qkv, in_proj_z, in_proj_b and in_proj_a. */
  inProj: LinearGroup;
  conv: CausalConv;
  gates: DeltaGateWeights;
  norm: GatedNormWeights;
  outProj: LinearGroup;
}

export interface DeltaNetSaved {
  hIn: LowRankInputs;
  /** Projections: input of the convolution, gate of the norm, and the inputs of beta and decay. */
  x: tf.Tensor;
  z: tf.Tensor;
  b: tf.Tensor;
  a: tf.Tensor;
  qkv: tf.Tensor;
  g: tf.Tensor;
  beta: tf.Tensor;
  /** Output of the delta rule. */
  core: tf.Tensor;
  normed: tf.Tensor;
  hOut: LowRankInputs;
  finalStates: tf.Tensor | null;
}

export class DeltaNet implements Mixer<DeltaNetSaved> {
  constructor(
    private readonly weights: DeltaNetWeights,
    private readonly shape: DeltaShape,
  ) {}

  forward(context: PassContext, sequence: TextSequence, input: tf.Tensor, residual: tf.Tensor): { y: tf.Tensor; saved: DeltaNetSaved } {
    const { gpu } = context;
    const { inProj, conv, gates, norm, outProj } = this.weights;
    const { outputs: [x, z, b, a], h: hIn } = inProj.forward(context, input);
    const qkv = causalConvForward(gpu, viewOf(x), conv, sequence.bounds);
    const { g, beta } = deltaGatesForward(gpu, viewOf(a), viewOf(b), input.shape[0], gates);
    const { output: core, finalStates } = gatedDeltaForward(gpu, { qkv, g, beta }, batchOf(sequence), this.shape, { finalStates: sequence.capturing });
    const normed = gatedNormForward(gpu, core, viewOf(z), norm);
    const { outputs: [y], h: hOut } = outProj.forward(context, normed, residual);
    return { y, saved: { hIn, x, z, b, a, qkv, g, beta, core, normed, hOut, finalStates } };
  }

  backward(context: PassContext, sequence: TextSequence, input: tf.Tensor, saved: DeltaNetSaved, dy: tf.Tensor, needInput: boolean): tf.Tensor | null {
    const { gpu } = context;
    const { inProj, conv, gates, norm, outProj } = this.weights;
    const { x, z, b, a, qkv, g, beta, core } = saved;
    const dNormed = outProj.backward(context, saved.normed, saved.hOut, [viewOf(dy)], true)!;
    free(saved.normed, saved.hOut);
    const dz = gpu.empty(z.shape);
    const dCore = gatedNormBackward(gpu, core, viewOf(z), norm, dNormed, viewOf(dz));
    free(dNormed, core, z);
    const { dQkv, dG, dBeta } = gatedDeltaBackward(gpu, { qkv, g, beta }, batchOf(sequence), this.shape, dCore);
    free(dCore, qkv, g, beta);
    const da = gpu.empty(a.shape);
    const db = gpu.empty(b.shape);
    deltaGatesBackward(gpu, viewOf(a), viewOf(b), input.shape[0], gates, { g: dG, beta: dBeta }, viewOf(da), viewOf(db));
    free(dG, dBeta, a, b);
    const dx = gpu.empty(x.shape);
    causalConvBackward(gpu, viewOf(x), conv, sequence.bounds, dQkv, viewOf(dx));
    free(dQkv, x);
    const dInput = inProj.backward(context, input, saved.hIn, [dx, dz, db, da].map(viewOf), needInput);
    free(dx, dz, db, da, saved.hIn, saved.finalStates);
    return dInput;
  }

  activations({ qkv, g, beta, core, normed }: DeltaNetSaved): Record<string, tf.Tensor> {
    return { 'linear.qkv': qkv, 'linear.g': g, 'linear.beta': beta, 'linear.core_out': core, 'linear.gated_norm': normed };
  }

  discard(saved: DeltaNetSaved): void {
    free(...Object.values(saved));
  }

  capture({ gpu }: PassContext, { lengths }: TextSequence, saved: DeltaNetSaved): LayerState {
    const { finalStates, ...rest } = saved;
    invariant(finalStates, 'a pass over prompts kept no states');
    let end = 0;
    const spans = gpu.upload(Int32Array.from(lengths.flatMap((length) => [end, (end += length)])), [lengths.length, 2]);
    const windows = causalConvWindows(gpu, viewOf(saved.x), this.weights.conv, spans);
    free(spans, ...Object.values(rest));
    return new RecurrentStates(gpu, windows, finalStates);
  }

  decode(context: PassContext, _: DecodeStep, input: tf.Tensor, residual: tf.Tensor, state: SequenceState): tf.Tensor {
    const { gpu } = context;
    const { inProj, conv, gates, norm, outProj } = this.weights;
    const { windows, states } = state as RecurrentStates;
    const { outputs: [x, z, b, a], h: hIn } = inProj.forward(context, input);
    const qkv = causalConvStep(gpu, viewOf(x), conv, windows);
    const { g, beta } = deltaGatesForward(gpu, viewOf(a), viewOf(b), input.shape[0], gates);
    const core = gatedDeltaStep(gpu, { qkv, g, beta }, states, this.shape);
    const normed = gatedNormForward(gpu, core, viewOf(z), norm);
    const { outputs: [y], h: hOut } = outProj.forward(context, normed, residual);
    free(hIn, x, z, b, a, qkv, g, beta, core, normed, hOut);
    return y;
  }
}

function batchOf({ delta }: TextSequence) {
  invariant(delta, 'a recurrent layer in a pass without tables for it');
  return delta;
}

/** Windows of the convolution and matrices of the rule, one row for each prompt or sequence; sequences know their prompts'. */
class RecurrentStates implements LayerState, SequenceState {
  constructor(
    private readonly gpu: Gpu,
    public windows: tf.Tensor,
    public states: tf.Tensor,
    private readonly prompts: RecurrentStates | null = null,
  ) {}

  fork({ prompts }: Pick<ForkPlan, 'prompts'>): RecurrentStates {
    const index = this.gpu.upload(Int32Array.from(prompts), [prompts.length]);
    const forked = new RecurrentStates(this.gpu, gatherRows(this.gpu, this.windows, index), gatherRows(this.gpu, this.states, index), this);
    index.dispose();
    return forked;
  }

  admit(prompts: readonly number[]): void {
    invariant(this.prompts, 'only sequences take others in');
    const { gpu, windows, states } = this;
    const begun = this.prompts.fork({ prompts });
    this.windows = joinRows(gpu, windows, begun.windows);
    this.states = joinRows(gpu, states, begun.states);
    free(windows, states);
    begun.dispose();
  }

  narrow(index: tf.Tensor): void {
    const { windows, states } = this;
    this.windows = gatherRows(this.gpu, windows, index);
    this.states = gatherRows(this.gpu, states, index);
    free(windows, states);
  }

  dispose(): void {
    free(this.windows, this.states);
  }
}
