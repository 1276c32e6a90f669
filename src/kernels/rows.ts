/** Gathering and scattering whole rows. */
import type * as tf from '@tensorflow/tfjs';
import { foldGroups, type Gpu } from '../gpu/gpu.ts';
import wgsl from './rows.wgsl?raw';

function launch(gpu: Gpu, entryPoint: 'gather' | 'scatter' | 'scatterAdd', source: tf.Tensor, index: tf.Tensor, target: tf.Tensor, size: number): void {
  const kernel = gpu.kernel({ name: `rows_${entryPoint}`, wgsl: () => wgsl, access: ['read', 'read', 'write'], entryPoint });
  gpu.run(kernel, [source, index, target], [index.size, size], foldGroups(Math.ceil((index.size * size) / 64)));
}

/** Rows `index` (int32 [n]) of source [rows, size]. */
export function gatherRows(gpu: Gpu, source: tf.Tensor, index: tf.Tensor): tf.Tensor {
  const size = source.shape[1]!;
  const target = gpu.empty([index.size, size]);
  launch(gpu, 'gather', source, index, target, size);
  return target;
}

/** Overwrites rows `index` of target, which must be distinct. */
export function scatterRows(gpu: Gpu, source: tf.Tensor, index: tf.Tensor, target: tf.Tensor): void {
  launch(gpu, 'scatter', source, index, target, target.shape[1]!);
}

/** Adds to rows `index` of target, which must be distinct. */
export function scatterAddRows(gpu: Gpu, source: tf.Tensor, index: tf.Tensor, target: tf.Tensor): void {
  launch(gpu, 'scatterAdd', source, index, target, target.shape[1]!);
}
