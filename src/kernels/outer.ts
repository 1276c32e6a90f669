/** Gradient of a LoRA factor: a tall product reduced over tokens, added to the flat gradient buffer. */
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { chooseVariant, type Variant, type VariantTable } from '../gpu/variants.ts';
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
const DEPTH = 32;

/** A product over tokens with a small result. */
export interface OuterRequest {
  rows: number;
  countI: number;
  countJ: number;
}

export interface OuterVariant extends Variant<OuterRequest> {
  /** Threads along j, four columns each. */
  readonly columns: number;
  /** Tokens that a workgroup adds up; the others are added in a second dispatch. */
  readonly rowsPerSplit: number;
}

function variant(name: string, columns: number, rowsPerSplit: number, rest: Pick<OuterVariant, 'profile'>): OuterVariant {
  return { name, columns, rowsPerSplit, threads: ROWS * columns, workgroupBytes: 4 * DEPTH * (8 * ROWS + 4 * columns), ...rest };
}

export const OUTER_PRODUCTS: VariantTable<OuterRequest, OuterVariant> = {
  family: 'outer product',
  variants: [
    // Enough workgroups to fill a GPU although the result is small.
    variant('512 tokens a workgroup', 16, 512, { profile: 'gpu' }),
    variant('all tokens a workgroup', 4, Infinity, { profile: 'rasterizer' }),
  ],
  classOf: ({ rows }) => (rows > 512 ? 'rows > 512' : 'rows ≤ 512'),
};

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
export function accumulateOuter(gpu: Gpu, p: MatrixView, countI: number, q: MatrixView, countJ: number, rows: number, scale: number, target: OuterTarget, chosen = chooseVariant(gpu, OUTER_PRODUCTS, { rows, countI, countJ })): void {
  const { columns: COLUMNS, rowsPerSplit } = chosen;
  const splits = Math.ceil(rows / rowsPerSplit) || 1;
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
