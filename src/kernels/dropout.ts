/** Dropout with counter-based masks. */
import type * as tf from '@tensorflow/tfjs';
import { f32, foldGroups, type Gpu } from '../gpu/gpu.ts';
import wgsl from './dropout.wgsl?raw';
import philox from './philox.wgsl?raw';

/** What a mask depends on besides the element's position. */
export interface DropoutKey {
  /** Share of values dropped, 0 ≤ p < 1. */
  p: number;
  seed: number;
  /** Counts micro-batches. */
  step: number;
  /** Number of the adapted module. */
  module: number;
}

/** scale · x · mask / (1 − p), written to `into` or added to it. */
export function applyDropout(gpu: Gpu, x: tf.Tensor, key: DropoutKey, into: tf.Tensor, add: boolean, scale = 1): void {
  const kernel = gpu.kernel({ name: 'dropout', wgsl: () => `${philox}\n${wgsl}`, access: ['read', 'write'] });
  gpu.run(kernel, [x, into], [x.size, key.seed >>> 0, key.step >>> 0, key.module, f32(1 - key.p), add ? 1 : 0, f32(scale)], foldGroups(Math.ceil(x.size / 256)));
}
