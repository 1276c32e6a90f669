/** Attention of one new token per sequence over a key/value cache. */
import type * as tf from '@tensorflow/tfjs';
import { f32, withConstants, type Gpu } from '../gpu/gpu.ts';
import wgsl from './attention-decode.wgsl?raw';

export interface DecodeShape {
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Rows per sequence in the cache. */
  capacity: number;
}

/**
 * @param q [sequences, heads · headDim]
 * @param keys [sequences · capacity, kvHeads · headDim], likewise values
 * @param lengths int32 [sequences], cached rows to attend to
 */
export function attentionDecode(gpu: Gpu, q: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, lengths: tf.Tensor, shape: DecodeShape): tf.Tensor {
  const { heads, kvHeads, headDim, capacity } = shape;
  // Every thread keeps a head-sized sum in workgroup memory, of which a device may have no more than 16 KiB.
  const fitting = Math.floor(gpu.device.limits.maxComputeWorkgroupStorageSize / (4 * headDim + 8));
  const threads = gpu.profile === 'rasterizer' ? 4 : fitting >= 32 ? 32 : 16;
  const kernel = gpu.kernel({
    name: `attention_decode_${headDim}_${heads}_${kvHeads}_${threads}`,
    wgsl: () => withConstants({ D: headDim, HEADS: heads, KV_HEADS: kvHeads, GROUP: heads / kvHeads, THREADS: threads }, wgsl),
    access: ['read', 'read', 'read', 'read', 'write'],
  });
  const output = gpu.empty(q.shape);
  gpu.run(kernel, [q, keys, values, lengths, output], [capacity, f32(1 / Math.sqrt(headDim))], [q.shape[0], heads]);
  return output;
}
