/** Attention of one new token per sequence over cached keys and values. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { chooseVariant, type Variant, type VariantTable } from '../gpu/variants.ts';
import { invariant } from '../protocol/errors.ts';
import headsWgsl from './attention-decode-heads.wgsl?raw';
import { SPREAD_THREADS, SPREAD_WGSL } from './attention-decode-spread.ts';

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

interface Constants {
  D: number;
  HEADS: number;
  KV_HEADS: number;
  GROUP: number;
  THREADS: number;
}

const defineDecode = (name: string, wgsl: string) =>
  defineKernel({
    name: `attention decode, ${name}`,
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
    wgsl: (constants: Constants) => withConstants(constants, wgsl),
  });

export interface DecodeVariant extends Variant<DecodeRequest> {
  readonly maxHeadDim: number;
  readonly kernel: ReturnType<typeof defineDecode>;
}

export interface DecodeRequest {
  headDim: number;
}

export const DECODE_VARIANTS: readonly DecodeVariant[] = [
  { name: 'spread', profile: 'gpu', threads: SPREAD_THREADS, workgroupBytes: 16384, maxHeadDim: 4 * SPREAD_THREADS, kernel: defineDecode('spread', SPREAD_WGSL) },
  // Each thread keeps a head-sized sum in workgroup memory, of which a device may have no more than 16 KiB.
  { name: 'whole heads', profile: 'rasterizer', threads: 4, workgroupBytes: 16384, maxHeadDim: 1000, kernel: defineDecode('whole heads', headsWgsl) },
];

export const DECODE: VariantTable<DecodeRequest, DecodeVariant> = { family: 'attention of one token', variants: DECODE_VARIANTS, classOf: ({ headDim }) => `heads of ${headDim}` };

function decodeVariant(gpu: Gpu, headDim: number): DecodeVariant {
  return chooseVariant(gpu, DECODE, { headDim }, ({ maxHeadDim }) => headDim <= maxHeadDim);
}

/**
 * @param q [sequences, heads · headDim]
 * @param prompts rows that several sequences may share
 * @param own rows that the sequences added
 * @param spans int32 [sequences, 4]: first row and number of rows of each sequence's prompt, then of its own
 * @returns [sequences, heads · headDim]
 */
export function attentionDecode(gpu: Gpu, q: tf.Tensor, prompts: CachedRows, own: CachedRows, spans: tf.Tensor, { heads, kvHeads, headDim }: DecodeShape, variant = decodeVariant(gpu, headDim)): tf.Tensor {
  invariant(headDim % 4 === 0, `attention: head dimension ${headDim} is not a multiple of 4`);
  const o = gpu.empty(q.shape);
  gpu.run(variant.kernel, {
    constants: { D: headDim, HEADS: heads, KV_HEADS: kvHeads, GROUP: heads / kvHeads, THREADS: variant.threads },
    bindings: { q, promptK: prompts.keys, promptV: prompts.values, ownK: own.keys, ownV: own.values, spans, o },
    params: { scale: 1 / Math.sqrt(headDim) },
    groups: [q.shape[0], heads],
  });
  return o;
}
