/** One more token for each sequence of a wave. */
import type * as tf from '@tensorflow/tfjs';
import { attentionDecode } from '../kernels/attention-decode.ts';
import { embeddingLookup } from '../kernels/embedding.ts';
import { normForward } from '../kernels/norm.ts';
import { free } from '../model/free.ts';
import type { PassContext } from '../model/linear-group.ts';
import { textRotary } from '../model/positions.ts';
import type { Qwen3VL } from '../model/qwen3-vl.ts';
import type { Sequence } from './chooser.ts';
import type { KeyValueCache } from './kv-cache.ts';
import type { Prefilled } from './prefill.ts';

/** What sequences attend to: their prompt's rows, and a stretch of rows of their own. */
export interface WaveCache {
  prompts: Prefilled;
  own: KeyValueCache;
  /** Own rows of each sequence. */
  capacity: number;
}

/**
 * State after each sequence's newest token, [sequences, hidden] after the final norm; adds that token to the cache.
 * @param ids int32 [sequences], the newest tokens
 * @param step how many tokens each sequence had before the newest
 * @param ropeDeltas per prompt of the wave
 */
export function decodeStep(model: Qwen3VL, context: PassContext, ids: tf.Tensor, sequences: readonly Sequence[], step: number, ropeDeltas: readonly number[], { prompts, own, capacity }: WaveCache): tf.Tensor {
  const { gpu } = context;
  const { config, weights } = model;
  const count = sequences.length;
  const angles = new Int32Array(3 * count);
  const spans = new Int32Array(4 * count);
  sequences.forEach(({ prompt, slot }, i) => {
    for (let axis = 0; axis < 3; axis++) angles[axis * count + i] = prompts.lengths[prompt] + step + ropeDeltas[prompt];
    spans.set([prompts.starts[prompt], prompts.lengths[prompt], slot * capacity, step + 1], 4 * i);
  });
  const { cos, sin } = textRotary(config, angles, count);
  const rotary = { cos: gpu.upload(cos, [count, config.headDim / 2]), sin: gpu.upload(sin, [count, config.headDim / 2]) };
  const rows = gpu.upload(Int32Array.from(sequences, ({ slot }) => slot * capacity + step), [count]);
  const spansT = gpu.upload(spans, [count, 4]);
  const shape = { heads: config.numAttentionHeads, kvHeads: config.numKeyValueHeads, headDim: config.headDim };
  let x = embeddingLookup(gpu, weights.embedding, ids);
  weights.layers.forEach((layer, i) => {
    const y = layer.decode(context, rotary, x, (q, k, v) => {
      own.store(gpu, i, rows, k, v);
      return attentionDecode(gpu, q, prompts.cache.layers[i], own.layers[i], spansT, shape);
    });
    x.dispose();
    x = y;
  });
  const normed = normForward(gpu, x, weights.finalNorm);
  free(x, rows, spansT, rotary.cos, rotary.sin);
  return normed;
}
