/** Gradient of a LoRA factor: a tall product reduced over tokens, added to the flat gradient buffer. */
import { f32, withConstants, type Gpu } from '../gpu/gpu.ts';
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

/**
 * target(i, j) += scale · Σ_m p[m, i] · q[m, j]
 * @param rows tokens m
 * @param countI rank side; countJ long side
 */
export function accumulateOuter(gpu: Gpu, p: MatrixView, countI: number, q: MatrixView, countJ: number, rows: number, scale: number, target: OuterTarget): void {
  const columns = gpu.profile === 'gpu' ? 16 : 4;
  const kernel = gpu.kernel({ name: `outer_${columns}`, wgsl: () => withConstants({ ROWS, COLUMNS: columns }, outerWgsl), access: ['read', 'read', 'write'] });
  const splits = gpu.profile === 'gpu' ? Math.ceil(rows / ROWS_PER_SPLIT) : 1;
  const rowsPerSplit = Math.ceil(rows / splits);
  const partial = splits > 1 ? gpu.empty([splits, countI, countJ]) : null;
  gpu.run(
    kernel,
    [p.data, q.data, partial ?? target.buffer],
    [rows, countI, countJ, p.stride, p.offset, q.stride, q.offset, target.offset, target.strideI, target.strideJ, f32(scale), rowsPerSplit, splits],
    [Math.ceil(countJ / (columns * 4)), Math.ceil(countI / (ROWS * 8)), splits],
  );
  if (!partial) return;
  const reduce = gpu.kernel({ name: 'outer_reduce', wgsl: () => reduceWgsl, access: ['read', 'write'] });
  gpu.run(
    reduce,
    [partial, target.buffer],
    [countI, countJ, target.offset, target.strideI, target.strideJ, f32(scale), splits],
    [Math.ceil((countI * countJ) / 64)],
  );
  partial.dispose();
}
