/** Grouped-query attention over packed segments, causal or bidirectional, without a score matrix in memory. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import commonWgsl from './attention.wgsl?raw';
import backwardKvWgsl from './attention-backward-kv.wgsl?raw';
import backwardQWgsl from './attention-backward-q.wgsl?raw';
import forwardWgsl from './attention-forward.wgsl?raw';
import type { MatrixView } from './matmul.ts';

export interface AttentionShape {
  rows: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  causal: boolean;
}

export interface AttentionInputs {
  /** [rows, heads · headDim] */
  q: MatrixView;
  /** [rows, kvHeads · headDim] */
  k: MatrixView;
  v: MatrixView;
  /** int32 [rows, 2]: first and one-past-last row of each row's segment */
  bounds: tf.Tensor;
}

/** Output and what backward needs besides the inputs. */
export interface AttentionResult {
  /** [rows, heads · headDim] */
  output: tf.Tensor;
  /** [rows, heads, 2]: log Σ exp of the scores, and room for Σ dO · O */
  stats: tf.Tensor;
}

const INPUTS = {
  q: 'read array<vec4<f32>>', k: 'read array<vec4<f32>>', v: 'read array<vec4<f32>>',
  // first and one-past-last row of each row's segment
  bounds: 'read array<vec2<u32>>',
} as const;
const PARAMS = {
  rows: 'u32', scale: 'f32', causal: 'flag',
  qStride: 'u32', qOffset: 'u32', kStride: 'u32', kOffset: 'u32', vStride: 'u32', vOffset: 'u32',
} as const;

interface Constants {
  D: number;
  HEADS: number;
  KV_HEADS: number;
  GROUP: number;
  THREADS: number;
}

const FORWARD = defineKernel({
  name: 'attention forward',
  bindings: { ...INPUTS, o: 'write array<vec4<f32>>', stats: 'write array<vec2<f32>>' },
  params: PARAMS,
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + forwardWgsl),
});

const BACKWARD_Q = defineKernel({
  name: 'attention backward q',
  bindings: { ...INPUTS, o: 'read array<vec4<f32>>', stats: 'write array<vec2<f32>>', dO: 'read array<vec4<f32>>', dq: 'write array<vec4<f32>>' },
  params: PARAMS,
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + backwardQWgsl),
});

const BACKWARD_KV = defineKernel({
  name: 'attention backward kv',
  bindings: { ...INPUTS, stats: 'read array<vec2<f32>>', dO: 'read array<vec4<f32>>', dk: 'write array<vec4<f32>>', dv: 'write array<vec4<f32>>' },
  params: { ...PARAMS, dvStride: 'u32', dvOffset: 'u32' },
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + backwardKvWgsl),
});

function constantsOf(gpu: Gpu, { heads, kvHeads, headDim }: AttentionShape): Constants {
  invariant(headDim % 4 === 0, `attention: head dimension ${headDim} is not a multiple of 4`);
  invariant(heads % kvHeads === 0, `attention: ${heads} heads share ${kvHeads} key/value heads`);
  return { D: headDim, HEADS: heads, KV_HEADS: kvHeads, GROUP: heads / kvHeads, THREADS: gpu.profile === 'rasterizer' ? 8 : 64 };
}

/** The kernels read and write four values at a time. */
function checkAligned(...views: MatrixView[]): void {
  for (const { stride, offset } of views) invariant(stride % 4 === 0 && offset % 4 === 0, `attention: stride ${stride} and offset ${offset} must be multiples of 4`);
}

function paramsOf({ q, k, v }: AttentionInputs, { rows, headDim, causal }: AttentionShape) {
  checkAligned(q, k, v);
  return {
    rows, scale: 1 / Math.sqrt(headDim), causal,
    qStride: q.stride, qOffset: q.offset, kStride: k.stride, kOffset: k.offset, vStride: v.stride, vOffset: v.offset,
  };
}

/** softmax(q kᵀ / √headDim) v within each segment; row t sees rows up to t when causal. */
export function attentionForward(gpu: Gpu, inputs: AttentionInputs, shape: AttentionShape): AttentionResult {
  const { q, k, v, bounds } = inputs;
  const { rows, heads, headDim } = shape;
  const constants = constantsOf(gpu, shape);
  const params = paramsOf(inputs, shape);
  const output = gpu.empty([rows, heads * headDim]);
  const stats = gpu.empty([rows, heads, 2]);
  gpu.run(FORWARD, {
    constants, params,
    bindings: { q: q.data, k: k.data, v: v.data, bounds, o: output, stats },
    groups: [Math.ceil(rows / constants.THREADS), heads],
  });
  return { output, stats };
}

/**
 * Gradients of q [rows, heads · headDim] and k [rows, kvHeads · headDim]; that of v is written to `dv`,
 * which may be a column range of a wider matrix.
 */
export function attentionBackward(gpu: Gpu, inputs: AttentionInputs, shape: AttentionShape, result: AttentionResult, dOutput: tf.Tensor, dv: MatrixView): { dq: tf.Tensor; dk: tf.Tensor } {
  const { q, k, v, bounds } = inputs;
  const { rows, heads, kvHeads, headDim } = shape;
  checkAligned(dv);
  const constants = constantsOf(gpu, shape);
  const params = paramsOf(inputs, shape);
  const shared = { q: q.data, k: k.data, v: v.data, bounds, stats: result.stats, dO: dOutput };
  const groups = Math.ceil(rows / constants.THREADS);
  const dq = gpu.empty([rows, heads * headDim]);
  gpu.run(BACKWARD_Q, { constants, params, bindings: { o: result.output, dq, ...shared }, groups: [groups, heads] });
  const dk = gpu.empty([rows, kvHeads * headDim]);
  gpu.run(BACKWARD_KV, {
    constants,
    params: { dvStride: dv.stride, dvOffset: dv.offset, ...params },
    bindings: { dk, dv: dv.data, ...shared },
    groups: [groups, kvHeads],
  });
  return { dq, dk };
}
