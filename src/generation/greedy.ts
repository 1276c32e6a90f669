/** Batched greedy decoding: the prompts run once as a packed batch, then one token per sequence and step over the cache. */
import type * as tf from '@tensorflow/tfjs';
import { argmaxToken } from '../kernels/argmax.ts';
import { attentionDecode, type DecodeShape } from '../kernels/attention-decode.ts';
import { embeddingLookup } from '../kernels/embedding.ts';
import { normForward } from '../kernels/norm.ts';
import { gatherRows } from '../kernels/rows.ts';
import { free } from '../model/free.ts';
import type { PassContext } from '../model/linear-group.ts';
import { textRotary } from '../model/positions.ts';
import type { Qwen3VL } from '../model/qwen3-vl.ts';
import type { PackedBatch } from '../processing/types.ts';
import { cacheCapacity, KeyValueCache } from './kv-cache.ts';

export interface GreedyOptions {
  maxNewTokens: number;
  /** Any of these ends a sequence; it is not part of the answer. Empty: always maxNewTokens. */
  stopIds: readonly number[];
  /** Called with tokens decoded per sequence so far. */
  onToken?: (done: number, total: number) => void;
}

export interface GreedyAnswer {
  ids: number[];
  /** False when maxNewTokens ran out. */
  stopped: boolean;
}

/** Steps between looks at what was generated: reading waits for the GPU. */
const STEPS_PER_READ = 8;

/**
 * Decodes every prompt of a packed batch.
 * @param ropeDeltas per prompt, rotary position of the first new token minus the prompt's length
 */
export async function generateGreedy(model: Qwen3VL, context: PassContext, prompts: PackedBatch, ropeDeltas: readonly number[], options: GreedyOptions): Promise<GreedyAnswer[]> {
  const { gpu } = context;
  const { config } = model;
  const { maxNewTokens } = options;
  const lengths = promptLengths(prompts);
  const sequences = lengths.length;
  const capacity = cacheCapacity(Math.max(...lengths), maxNewTokens);
  const cache = new KeyValueCache(gpu, config.numHiddenLayers, config.numKeyValueHeads * config.headDim, sequences, capacity);
  const generated = gpu.empty([maxNewTokens, sequences], 'int32');
  let ids = prefill(model, context, prompts, lengths, cache);
  const answers: GreedyAnswer[] = lengths.map(() => ({ ids: [], stopped: false }));
  let read = 0;
  for (let step = 0; step < maxNewTokens; step++) {
    gpu.copy(ids, 0, generated, step * sequences * 4, sequences * 4);
    const last = step === maxNewTokens - 1;
    if (last || (step + 1) % STEPS_PER_READ === 0) {
      const values = await gpu.readInts(generated, (step + 1) * sequences);
      for (; read <= step; read++) collect(answers, values.subarray(read * sequences, (read + 1) * sequences), options.stopIds);
      options.onToken?.(step + 1, maxNewTokens);
      if (answers.every((answer) => answer.stopped)) break;
    }
    if (last) break;
    const next = decodeStep(model, context, ids, lengths.map((length) => length + step), ropeDeltas, cache, capacity);
    ids.dispose();
    ids = next;
  }
  free(ids, generated);
  cache.dispose();
  return answers;
}

/** Runs the prompts, fills the cache and chooses each first token: int32 [sequences]. */
function prefill(model: Qwen3VL, context: PassContext, prompts: PackedBatch, lengths: readonly number[], cache: KeyValueCache): tf.Tensor {
  const { gpu } = context;
  const rows = cache.promptRows(prompts);
  const hidden = model.hiddenStates(context, prompts, (layer, keys, values) => cache.store(layer, rows, keys, values));
  const ends: number[] = [];
  lengths.reduce((start, length) => (ends.push(start + length - 1), start + length), 0);
  const lastRows = gpu.upload(Int32Array.from(ends), [ends.length]);
  const last = gatherRows(gpu, hidden, lastRows);
  const ids = argmaxToken(gpu, last, model.weights.head);
  free(rows, hidden, lastRows, last);
  return ids;
}

/** One more token per sequence; `positions` counts tokens already in the cache. */
function decodeStep(model: Qwen3VL, context: PassContext, ids: tf.Tensor, positions: readonly number[], ropeDeltas: readonly number[], cache: KeyValueCache, capacity: number): tf.Tensor {
  const { gpu } = context;
  const { config, weights } = model;
  const sequences = positions.length;
  const angles = new Int32Array(3 * sequences);
  for (let axis = 0; axis < 3; axis++) positions.forEach((position, s) => (angles[axis * sequences + s] = position + ropeDeltas[s]));
  const { cos, sin } = textRotary(config, angles, sequences);
  const rotary = { cos: gpu.upload(cos, [sequences, config.headDim / 2]), sin: gpu.upload(sin, [sequences, config.headDim / 2]) };
  const rows = gpu.upload(Int32Array.from(positions, (position, s) => s * capacity + position), [sequences]);
  const lengths = gpu.upload(Int32Array.from(positions, (position) => position + 1), [sequences]);
  const shape: DecodeShape = { heads: config.numAttentionHeads, kvHeads: config.numKeyValueHeads, headDim: config.headDim, capacity };
  let x = embeddingLookup(gpu, weights.embedding, ids);
  weights.layers.forEach((layer, i) => {
    const y = layer.decode(context, rotary, x, (q, k, v) => {
      cache.store(i, rows, k, v);
      return attentionDecode(gpu, q, cache.keys[i], cache.values[i], lengths, shape);
    });
    x.dispose();
    x = y;
  });
  const normed = normForward(gpu, x, weights.finalNorm);
  const next = argmaxToken(gpu, normed, weights.head);
  free(x, normed, rows, lengths, rotary.cos, rotary.sin);
  return next;
}

function collect(answers: GreedyAnswer[], ids: Int32Array, stopIds: readonly number[]): void {
  answers.forEach((answer, s) => {
    if (answer.stopped) return;
    if (stopIds.includes(ids[s])) answer.stopped = true;
    else answer.ids.push(ids[s]);
  });
}

function promptLengths(prompts: PackedBatch): number[] {
  const lengths: number[] = [];
  for (let row = 0; row < prompts.tokenCount; row = prompts.segmentEnd[row]) lengths.push(prompts.segmentEnd[row] - row);
  return lengths;
}
