/** Attention of one new token per sequence over cached keys and values. */
import type * as tf from '@tensorflow/tfjs';
import { f32, withConstants, type Gpu } from '../gpu/gpu.ts';
import wgsl from './attention-decode.wgsl?raw';

export interface DecodeShape {
  heads: number;
  kvHeads: number;
  headDim: number;
}

/** Keys and values of one layer, both [rows, kvHeads · headDim]. */
export interface CachedRows {
  keys: tf.Tensor;
  values: tf.Tensor;
}

/**
 * @param q [sequences, heads · headDim]
 * @param prompts rows that several sequences may share
 * @param own rows that the sequences added
 * @param spans int32 [sequences, 4]: first row and number of rows of each sequence's prompt, then of its own
 * @returns [sequences, heads · headDim]
 */
export function attentionDecode(gpu: Gpu, q: tf.Tensor, prompts: CachedRows, own: CachedRows, spans: tf.Tensor, { heads, kvHeads, headDim }: DecodeShape): tf.Tensor {
  // Every thread keeps a head-sized sum in workgroup memory, of which a device may have no more than 16 KiB.
  const fitting = Math.floor(gpu.device.limits.maxComputeWorkgroupStorageSize / (4 * headDim + 8));
  const threads = gpu.profile === 'rasterizer' ? 4 : fitting >= 32 ? 32 : 16;
  const kernel = gpu.kernel({
    name: `attention_decode_${headDim}_${heads}_${kvHeads}_${threads}`,
    wgsl: () => withConstants({ D: headDim, HEADS: heads, KV_HEADS: kvHeads, GROUP: heads / kvHeads, THREADS: threads }, wgsl),
    access: ['read', 'read', 'read', 'read', 'read', 'read', 'write'],
  });
  const output = gpu.empty(q.shape);
  gpu.run(kernel, [q, prompts.keys, prompts.values, own.keys, own.values, spans, output], [f32(1 / Math.sqrt(headDim))], [q.shape[0], heads]);
  return output;
}
