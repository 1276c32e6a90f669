/** Dropout with counter-based masks. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel } from '../gpu/kernel.ts';
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

const DROPOUT = defineKernel({
  name: 'dropout',
  bindings: { x: 'read array<f32>', y: 'write array<f32>' },
  params: { count: 'u32', seed: 'u32', step: 'u32', moduleId: 'u32', keep: 'f32', addToOutput: 'flag', scale: 'f32' },
  wgsl: () => `${philox}\n${wgsl}`,
});

/** scale · x · mask / (1 − p), written to `into` or added to it. */
export function applyDropout(gpu: Gpu, x: tf.Tensor, key: DropoutKey, into: tf.Tensor, add: boolean, scale = 1): void {
  gpu.run(DROPOUT, {
    bindings: { x, y: into },
    params: { count: x.size, seed: key.seed >>> 0, step: key.step >>> 0, moduleId: key.module, keep: 1 - key.p, addToOutput: add, scale },
    groups: foldGroups(Math.ceil(x.size / 256)),
  });
}
