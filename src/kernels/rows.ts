/** Gathering and scattering whole rows. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel } from '../gpu/kernel.ts';
import wgsl from './rows.wgsl?raw';

const move = (entryPoint: 'gather' | 'scatter' | 'scatterAdd') =>
  defineKernel({
    name: `rows ${entryPoint}`,
    bindings: { source: 'read array<f32>', index: 'read array<i32>', destination: 'write array<f32>' },
    params: { count: 'u32', size: 'u32' },
    wgsl: () => wgsl,
    entryPoint,
  });
const GATHER = move('gather');
const SCATTER = move('scatter');
const SCATTER_ADD = move('scatterAdd');

function launch(gpu: Gpu, kernel: typeof GATHER, source: tf.Tensor, index: tf.Tensor, destination: tf.Tensor, size: number): void {
  const count = index.size;
  gpu.run(kernel, { bindings: { source, index, destination }, params: { count, size }, groups: foldGroups(Math.ceil((count * size) / 64)) });
}

/** The rows of first, then those of second, of one width and type. */
export function joinRows(gpu: Gpu, first: tf.Tensor, second: tf.Tensor): tf.Tensor {
  const joined = gpu.empty([first.shape[0] + second.shape[0], ...first.shape.slice(1)], first.dtype as 'float32' | 'int32');
  if (first.size > 0) gpu.copy(first, 0, joined, 0, first.size * 4);
  if (second.size > 0) gpu.copy(second, 0, joined, first.size * 4, second.size * 4);
  return joined;
}

/** Rows `index` (int32 [n]) of source [rows, size]. */
export function gatherRows(gpu: Gpu, source: tf.Tensor, index: tf.Tensor): tf.Tensor {
  const size = source.shape[1]!;
  const target = gpu.empty([index.size, size]);
  launch(gpu, GATHER, source, index, target, size);
  return target;
}

/** Overwrites rows `index` of target, which must be distinct. */
export function scatterRows(gpu: Gpu, source: tf.Tensor, index: tf.Tensor, target: tf.Tensor): void {
  launch(gpu, SCATTER, source, index, target, target.shape[1]!);
}

/** Adds to rows `index` of target, which must be distinct. */
export function scatterAddRows(gpu: Gpu, source: tf.Tensor, index: tf.Tensor, target: tf.Tensor): void {
  launch(gpu, SCATTER_ADD, source, index, target, target.shape[1]!);
}
