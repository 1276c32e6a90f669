/** Rows of a packed table by token id, and weighted sums of rows for interpolated positions. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import type { WeightKind } from '../quantization/packed-weight.ts';
import type { GpuWeight } from './matmul.ts';
import { WEIGHT_PARAMS, weightFunctions, weightValues } from './weight-wgsl.ts';

/** A table cut into row ranges, each small enough for one binding. */
export interface GpuTable {
  rows: number;
  cols: number;
  parts: { firstRow: number; weight: GpuWeight }[];
}

const LOOKUP = defineKernel({
  name: 'embedding',
  bindings: { ids: 'read array<i32>', weights: 'read array<u32>', y: 'write array<f32>' },
  params: { count: 'u32', size: 'u32', firstRow: 'u32', lastRow: 'u32', ...WEIGHT_PARAMS },
  wgsl: ({ kind }: { kind: WeightKind }) => `${weightFunctions(kind)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * 64u;
  if (i >= params.count * params.size) { return; }
  let row = u32(ids[i / params.size]);
  if (row < params.firstRow || row >= params.lastRow) { return; }
  let at = (row - params.firstRow) * params.size + i % params.size;
  y[i] = weight1(at) * weightScale(row - params.firstRow, at);
}`,
});

const INTERPOLATE = defineKernel({
  name: 'interpolated rows',
  bindings: { indices: 'read array<vec4<i32>>', shares: 'read array<vec4<f32>>', weights: 'read array<u32>', y: 'write array<f32>' },
  params: { count: 'u32', size: 'u32', ...WEIGHT_PARAMS },
  wgsl: ({ kind }: { kind: WeightKind }) => `${weightFunctions(kind)}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * 64u;
  if (i >= params.count * params.size) { return; }
  let row = i / params.size;
  let column = i % params.size;
  let corners = vec4<u32>(indices[row]);
  var sum = 0.0;
  for (var c = 0u; c < 4u; c++) {
    let at = corners[c] * params.size + column;
    sum += shares[row][c] * weight1(at) * weightScale(corners[c], at);
  }
  y[i] += sum;
}`,
});

const groupsFor = (count: number) => foldGroups(Math.ceil(count / 64));

/** The NF4 reader needs its codes in workgroup memory, which these kernels do not fill. */
function checkKind(weight: GpuWeight): void {
  invariant(weight.kind !== 'nf4', 'a table looked up by row cannot be NF4');
}

/** ids int32 [n] -> [n, cols]. Ids must lie inside the table. Tables are never NF4. */
export function embeddingLookup(gpu: Gpu, table: GpuTable, ids: tf.Tensor): tf.Tensor {
  const y = gpu.empty([ids.size, table.cols]);
  for (const { firstRow, weight } of table.parts) {
    checkKind(weight);
    gpu.run(LOOKUP, {
      constants: { kind: weight.kind },
      bindings: { ids, weights: weight.buffer, y },
      params: { count: ids.size, size: table.cols, firstRow, lastRow: firstRow + weight.rows, ...weightValues(weight.sections) },
      groups: groupsFor(y.size),
    });
  }
  return y;
}

/** y[p] += Σ_c shares[p, c] · table[indices[p, c]] for four corners c. */
export function addInterpolatedRows(gpu: Gpu, table: GpuWeight, indices: tf.Tensor, shares: tf.Tensor, y: tf.Tensor): void {
  checkKind(table);
  gpu.run(INTERPOLATE, {
    constants: { kind: table.kind },
    bindings: { indices, shares, weights: table.buffer, y },
    params: { count: y.shape[0], size: table.cols, ...weightValues(table.sections) },
    groups: groupsFor(y.size),
  });
}
