/** Keys and values of all layers: of prompts, which completions share, and of the tokens that completions add. */
import * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import type { CachedRows } from '../kernels/attention-decode.ts';
import { scatterRows } from '../kernels/rows.ts';

export class KeyValueCache {
  /** One entry for each layer. */
  readonly layers: CachedRows[] = [];

  /** Takes over a forward pass's keys and values as they are, without a copy. */
  keep(layer: number, keys: tf.Tensor, values: tf.Tensor): void {
    this.layers[layer] = { keys: keys.clone(), values: values.clone() };
  }

  /** @param width kvHeads · headDim */
  static empty(gpu: Gpu, layers: number, rows: number, width: number): KeyValueCache {
    const cache = new KeyValueCache();
    for (let layer = 0; layer < layers; layer++) cache.layers.push({ keys: gpu.empty([rows, width]), values: gpu.empty([rows, width]) });
    return cache;
  }

  /** Overwrites rows of a layer, int32 [sequences], with new keys and values. */
  store(gpu: Gpu, layer: number, rows: tf.Tensor, keys: tf.Tensor, values: tf.Tensor): void {
    scatterRows(gpu, keys, rows, this.layers[layer].keys);
    scatterRows(gpu, values, rows, this.layers[layer].values);
  }

  dispose(): void {
    for (const { keys, values } of this.layers) tf.dispose([keys, values]);
  }
}
