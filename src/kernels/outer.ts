/** Gradient of a LoRA factor: a tall product reduced over tokens, added to the flat gradient buffer. */
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import type { MatrixView } from './matmul.ts';
import outerWgsl from './outer.wgsl?raw';
import reduceWgsl from './outer-reduce.wgsl?raw';

/** Where element (i, j) of the result lies in the gradient buffer. */
export interface OuterTarget {
  buffer: GPUBuffer;
  offset: number;
  strideI: number;
  strideJ: number;
}

const ROWS = 2;
/** Tokens per split on a GPU: enough workgroups to fill it although the result is small. */
const ROWS_PER_SPLIT = 512;

/** Where the result goes: element (i, j) to offset + i · strideI + j · strideJ. */
const TARGET = { offset: 'u32', strideI: 'u32', strideJ: 'u32', scale: 'f32', splits: 'u32' } as const;

const OUTER = defineKernel({
  name: 'outer product',
  bindings: { p: 'read array<f32>', q: 'read array<f32>', result: 'write array<f32>' },
  params: { rows: 'u32', countI: 'u32', countJ: 'u32', pStride: 'u32', pOffset: 'u32', qStride: 'u32', qOffset: 'u32', rowsPerSplit: 'u32', ...TARGET },
  wgsl: (constants: { ROWS: number; COLUMNS: number }) => withConstants(constants, outerWgsl),
});

const REDUCE = defineKernel({
  name: 'outer product, sum of splits',
  bindings: { partial: 'read array<f32>', result: 'write array<f32>' },
  params: { countI: 'u32', countJ: 'u32', ...TARGET },
  wgsl: () => reduceWgsl,
});

/**
 * target(i, j) += scale · Σ_m p[m, i] · q[m, j]
 * @param rows tokens m
 * @param countI rank side; countJ long side
 */
export function accumulateOuter(gpu: Gpu, p: MatrixView, countI: number, q: MatrixView, countJ: number, rows: number, scale: number, target: OuterTarget): void {
  const COLUMNS = gpu.profile === 'gpu' ? 16 : 4;
  const splits = gpu.profile === 'gpu' ? Math.ceil(rows / ROWS_PER_SPLIT) : 1;
  const { buffer, offset, strideI, strideJ } = target;
  const place = { countI, countJ, offset, strideI, strideJ, scale, splits };
  const partial = splits > 1 ? gpu.empty([splits, countI, countJ]) : null;
  gpu.run(OUTER, {
    constants: { ROWS, COLUMNS },
    bindings: { p: p.data, q: q.data, result: partial ?? buffer },
    params: { rows, pStride: p.stride, pOffset: p.offset, qStride: q.stride, qOffset: q.offset, rowsPerSplit: Math.ceil(rows / splits), ...place },
    groups: [Math.ceil(countJ / (COLUMNS * 4)), Math.ceil(countI / (ROWS * 8)), splits],
  });
  if (!partial) return;
  gpu.run(REDUCE, { bindings: { partial, result: buffer }, params: place, groups: foldGroups(Math.ceil((countI * countJ) / 64)) });
  partial.dispose();
}
