/** Keys and values of all layers for a batch of sequences. */
import * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { scatterRows } from '../kernels/rows.ts';
import type { PackedBatch } from '../processing/types.ts';

/** Row s · capacity + p of a layer's tensors holds position p of sequence s. */
export class KeyValueCache {
  readonly keys: tf.Tensor[];
  readonly values: tf.Tensor[];

  constructor(
    private readonly gpu: Gpu,
    layers: number,
    /** kvHeads · headDim */
    width: number,
    readonly sequences: number,
    readonly capacity: number,
  ) {
    const make = () => Array.from({ length: layers }, () => gpu.empty([sequences * capacity, width]));
    this.keys = make();
    this.values = make();
  }

  /** Rows of the cache for the packed prompts' tokens. */
  promptRows(prompts: PackedBatch): tf.Tensor {
    const rows = new Int32Array(prompts.tokenCount);
    let sequence = -1;
    for (let row = 0; row < prompts.tokenCount; row++) {
      const position = row - prompts.segmentStart[row];
      if (position === 0) sequence++;
      rows[row] = sequence * this.capacity + position;
    }
    return this.gpu.upload(rows, [rows.length]);
  }

  /** Copies rows of a layer's keys and values; the tensors may have more rows than `rows` names. */
  store(layer: number, rows: tf.Tensor, keys: tf.Tensor, values: tf.Tensor): void {
    scatterRows(this.gpu, keys, rows, this.keys[layer]);
    scatterRows(this.gpu, values, rows, this.values[layer]);
  }

  dispose(): void {
    tf.dispose([...this.keys, ...this.values]);
  }
}

/** Rows per sequence that hold the prompt and all new tokens; rounded up so that sizes repeat. */
export function cacheCapacity(promptTokens: number, maxNewTokens: number): number {
  return Math.ceil((promptTokens + maxNewTokens) / 64) * 64;
}

/** A cache may take this much: validation should not need more memory than training. */
const MAX_CACHE_BYTES = 512 * 2 ** 20;

/**
 * How many sequences of this capacity a cache holds within its limit and within one binding per layer; at least one.
 * @param width kvHeads · headDim
 */
export function sequencesThatFit(layers: number, width: number, capacity: number, maxBindingBytes: number): number {
  const perLayer = width * capacity * 4;
  return Math.max(1, Math.floor(Math.min(MAX_CACHE_BYTES / (2 * layers * perLayer), maxBindingBytes / perLayer)));
}
