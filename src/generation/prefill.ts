/** The prompts' own pass: their keys and values, and the state that each first token is chosen from. */
import type * as tf from '@tensorflow/tfjs';
import { gatherRows } from '../kernels/rows.ts';
import { free } from '../model/free.ts';
import type { PassContext } from '../model/linear-group.ts';
import type { Qwen3VL } from '../model/qwen3-vl.ts';
import { sampleLengths } from '../processing/slice-batch.ts';
import type { PackedBatch } from '../processing/types.ts';
import { KeyValueCache } from './kv-cache.ts';

/** Prompts ready to be continued. */
export interface Prefilled {
  /** Rows as they are packed in the batch. */
  cache: KeyValueCache;
  /** [prompts, hidden] after the final norm, at each prompt's last token. */
  last: tf.Tensor;
  /** First row of each prompt in the cache. */
  starts: number[];
  lengths: number[];
  /** Token ids of each prompt, image tokens included. */
  ids: Int32Array[];
  dispose(): void;
}

export function prefill(model: Qwen3VL, context: PassContext, prompts: PackedBatch): Prefilled {
  const { gpu } = context;
  const lengths = sampleLengths(prompts);
  const starts: number[] = [];
  lengths.reduce((start, length) => (starts.push(start), start + length), 0);
  const cache = new KeyValueCache();
  const hidden = model.hiddenStates(context, prompts, (layer, keys, values) => cache.keep(layer, keys, values));
  const lastRows = gpu.upload(Int32Array.from(starts, (start, p) => start + lengths[p] - 1), [starts.length]);
  const last = gatherRows(gpu, hidden, lastRows);
  free(hidden, lastRows);
  return {
    cache,
    last,
    starts,
    lengths,
    ids: starts.map((start, p) => prompts.inputIds.subarray(start, start + lengths[p])),
    dispose() {
      cache.dispose();
      last.dispose();
    },
  };
}
