/** Scattering rows of which several go to the same place. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel } from '../gpu/kernel.ts';
import wgsl from './row-sums.wgsl?raw';

const ROW_SUMS = defineKernel({
  name: 'row sums',
  bindings: { source: 'read array<f32>', order: 'read array<i32>', starts: 'read array<i32>', index: 'read array<i32>', destination: 'write array<f32>' },
  params: { count: 'u32', size: 'u32' },
  wgsl: () => wgsl,
});

/** Which rows make which sum, on the GPU. */
export interface RowSums {
  /** int32 [n]: row that each sum goes to, all distinct. */
  index: tf.Tensor;
  /** int32 [rows]: rows of the source, sum by sum, each sum's ascending. */
  order: tf.Tensor;
  /** int32 [n + 1]: where each sum begins in `order`, and where the last one ends. */
  starts: tf.Tensor;
}

/** @param index row that each row of the source goes to; may name one several times */
export function planRowSums(gpu: Gpu, index: Int32Array): RowSums {
  const sources = new Map<number, number[]>();
  index.forEach((row, i) => {
    const known = sources.get(row);
    if (known) known.push(i);
    else sources.set(row, [i]);
  });
  const starts = [0];
  for (const { length } of sources.values()) starts.push(starts[starts.length - 1] + length);
  const upload = (values: readonly number[]) => gpu.upload(Int32Array.from(values), [values.length]);
  return { index: upload([...sources.keys()]), order: upload([...sources.values()].flat()), starts: upload(starts) };
}

/** Overwrites rows of target [·, size] by sums of rows of source [rows, size], always added in the same order. */
export function scatterRowSums(gpu: Gpu, source: tf.Tensor, { index, order, starts }: RowSums, target: tf.Tensor): void {
  const size = target.shape[1]!;
  gpu.run(ROW_SUMS, {
    bindings: { source, order, starts, index, destination: target },
    params: { count: index.size, size },
    groups: foldGroups(Math.ceil((index.size * size) / 64)),
  });
}
