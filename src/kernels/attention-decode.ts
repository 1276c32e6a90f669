/** Attention of one new token per sequence over cached keys and values. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
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

const DECODE = defineKernel({
  name: 'attention decode',
  bindings: {
    q: 'read array<vec4<f32>>',
    // prompts, which several sequences may share
    promptK: 'read array<vec4<f32>>', promptV: 'read array<vec4<f32>>',
    // what each sequence added
    ownK: 'read array<vec4<f32>>', ownV: 'read array<vec4<f32>>',
    // per sequence: first row and number of rows of its prompt, then of its own
    spans: 'read array<vec4<u32>>',
    o: 'write array<vec4<f32>>',
  },
  params: { scale: 'f32' },
  wgsl: (constants: { D: number; HEADS: number; KV_HEADS: number; GROUP: number; THREADS: number }) => withConstants(constants, wgsl),
});

/** Every thread keeps a head-sized sum in workgroup memory, of which a device may have no more than 16 KiB. */
function threadsFor(gpu: Gpu, headDim: number): number {
  if (gpu.profile === 'rasterizer') return 4;
  const fitting = Math.floor(gpu.device.limits.maxComputeWorkgroupStorageSize / (4 * headDim + 8));
  return [32, 16, 8].find((threads) => threads <= fitting) ?? 4;
}

/**
 * @param q [sequences, heads · headDim]
 * @param prompts rows that several sequences may share
 * @param own rows that the sequences added
 * @param spans int32 [sequences, 4]: first row and number of rows of each sequence's prompt, then of its own
 * @returns [sequences, heads · headDim]
 */
export function attentionDecode(gpu: Gpu, q: tf.Tensor, prompts: CachedRows, own: CachedRows, spans: tf.Tensor, { heads, kvHeads, headDim }: DecodeShape): tf.Tensor {
  invariant(headDim % 4 === 0, `attention: head dimension ${headDim} is not a multiple of 4`);
  const o = gpu.empty(q.shape);
  gpu.run(DECODE, {
    constants: { D: headDim, HEADS: heads, KV_HEADS: kvHeads, GROUP: heads / kvHeads, THREADS: threadsFor(gpu, headDim) },
    bindings: { q, promptK: prompts.keys, promptV: prompts.values, ownK: own.keys, ownV: own.values, spans, o },
    params: { scale: 1 / Math.sqrt(headDim) },
    groups: [q.shape[0], heads],
  });
  return o;
}
