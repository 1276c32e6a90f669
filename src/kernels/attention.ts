/** Grouped-query attention over packed segments, causal or bidirectional, without a score matrix in memory. */
import type * as tf from '@tensorflow/tfjs';
import { f32, withConstants, type Gpu } from '../gpu/gpu.ts';
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

function kernelOf(gpu: Gpu, part: string, body: string, shape: AttentionShape, extra: readonly ('read' | 'write')[]) {
  const threads = gpu.profile === 'rasterizer' ? 8 : 64;
  invariant(shape.headDim % 4 === 0, `attention: head dimension ${shape.headDim} is not a multiple of 4`);
  const { heads, kvHeads, headDim } = shape;
  const kernel = gpu.kernel({
    name: `attention_${part}_${headDim}_${heads}_${kvHeads}_${threads}`,
    wgsl: () => withConstants({ D: headDim, HEADS: heads, KV_HEADS: kvHeads, GROUP: heads / kvHeads, THREADS: threads }, commonWgsl + body),
    access: ['read', 'read', 'read', 'read', ...extra],
  });
  return { kernel, groups: Math.ceil(shape.rows / threads) };
}

/** The kernels read and write four values at a time. */
function checkAligned(...views: MatrixView[]): void {
  for (const { stride, offset } of views) invariant(stride % 4 === 0 && offset % 4 === 0, `attention: stride ${stride} and offset ${offset} must be multiples of 4`);
}

function paramsOf({ q, k, v }: AttentionInputs, shape: AttentionShape): number[] {
  checkAligned(q, k, v);
  return [shape.rows, f32(1 / Math.sqrt(shape.headDim)), q.stride, q.offset, k.stride, k.offset, v.stride, v.offset, shape.causal ? 1 : 0];
}

/** softmax(q kᵀ / √headDim) v within each segment; row t sees rows up to t when causal. */
export function attentionForward(gpu: Gpu, inputs: AttentionInputs, shape: AttentionShape): AttentionResult {
  const { kernel, groups } = kernelOf(gpu, 'forward', forwardWgsl, shape, ['write', 'write']);
  const output = gpu.empty([shape.rows, shape.heads * shape.headDim]);
  const stats = gpu.empty([shape.rows, shape.heads, 2]);
  gpu.run(kernel, [inputs.q.data, inputs.k.data, inputs.v.data, inputs.bounds, output, stats], paramsOf(inputs, shape), [groups, shape.heads]);
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
  const dq = gpu.empty([rows, heads * headDim]);
  const queries = kernelOf(gpu, 'backward_q', backwardQWgsl, shape, ['read', 'write', 'read', 'write']);
  gpu.run(queries.kernel, [q.data, k.data, v.data, bounds, result.output, result.stats, dOutput, dq], paramsOf(inputs, shape), [queries.groups, heads]);
  const dk = gpu.empty([rows, kvHeads * headDim]);
  const keys = kernelOf(gpu, 'backward_kv', backwardKvWgsl, shape, ['read', 'read', 'write', 'write']);
  gpu.run(keys.kernel, [q.data, k.data, v.data, bounds, result.stats, dOutput, dk, dv.data], [...paramsOf(inputs, shape), dv.stride, dv.offset], [keys.groups, kvHeads]);
  return { dq, dk };
}
