/** Grouped-query attention over packed segments, causal or bidirectional, without a score matrix in memory. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { invariant } from '../protocol/errors.ts';
import type { AttentionConstants } from './attention-kernel.ts';
import { attentionVariant } from './attention-variants.ts';
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
  /**
   * int32 [rows, 2]: first and one-past-last row of a prefix that each row sees besides its own segment, only when causal.
   * The segments that continue a prefix follow it at once, and in `bounds` the prefix's rows end where the last of them does.
   * Rows without prefix have the first row of their segment twice.
   */
  prefixes?: tf.Tensor;
}

/** Output and what backward needs besides the inputs. */
export interface AttentionResult {
  /** [rows, heads · headDim] */
  output: tf.Tensor;
  /** [rows, heads, 2]: log Σ exp of the scores, and room for Σ dO · O */
  stats: tf.Tensor;
}

function constantsOf({ prefixes }: AttentionInputs, { heads, kvHeads, headDim, causal }: AttentionShape): AttentionConstants {
  invariant(headDim % 4 === 0, `attention: head dimension ${headDim} is not a multiple of 4`);
  invariant(heads % kvHeads === 0, `attention: ${heads} heads share ${kvHeads} key/value heads`);
  invariant(!prefixes || causal, 'attention: only causal rows can have a prefix');
  return { D: headDim, HEADS: heads, KV_HEADS: kvHeads, GROUP: heads / kvHeads, PREFIXED: prefixes !== undefined };
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

/** softmax(q kᵀ / √headDim) v within each segment, segments one after the other; row t sees rows up to t when causal. */
export function attentionForward(gpu: Gpu, inputs: AttentionInputs, shape: AttentionShape, variant = attentionVariant(gpu, shape.headDim)): AttentionResult {
  const { q, k, v, bounds, prefixes } = inputs;
  const { rows, heads, headDim } = shape;
  const constants = constantsOf(inputs, shape);
  const params = paramsOf(inputs, shape);
  const output = gpu.empty([rows, heads * headDim]);
  const stats = gpu.empty([rows, heads, 2]);
  gpu.run(variant.forward, {
    constants, params,
    bindings: { q: q.data, k: k.data, v: v.data, bounds, prefixes, o: output, stats },
    groups: [Math.ceil(rows / variant.rowsPerGroup), heads],
  });
  return { output, stats };
}

/**
 * Gradients of q [rows, heads · headDim] and k [rows, kvHeads · headDim]; that of v is written to `dv`,
 * which may be a column range of a wider matrix.
 */
export function attentionBackward(gpu: Gpu, inputs: AttentionInputs, shape: AttentionShape, result: AttentionResult, dOutput: tf.Tensor, dv: MatrixView, variant = attentionVariant(gpu, shape.headDim)): { dq: tf.Tensor; dk: tf.Tensor } {
  const { q, k, v, bounds, prefixes } = inputs;
  const { rows, heads, kvHeads, headDim } = shape;
  checkAligned(dv);
  const constants = constantsOf(inputs, shape);
  const params = paramsOf(inputs, shape);
  const shared = { q: q.data, k: k.data, v: v.data, bounds, prefixes, stats: result.stats, dO: dOutput };
  const groups = Math.ceil(rows / variant.rowsPerGroup);
  const dq = gpu.empty([rows, heads * headDim]);
  gpu.run(variant.backwardQ, { constants, params, bindings: { o: result.output, dq, ...shared }, groups: [groups, heads] });
  const dk = gpu.empty([rows, kvHeads * headDim]);
  gpu.run(variant.backwardKv, {
    constants,
    params: { dvStride: dv.stride, dvOffset: dv.offset, ...params },
    bindings: { dk, dv: dv.data, ...shared },
    groups: [groups, kvHeads],
  });
  return { dq, dk };
}
