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
