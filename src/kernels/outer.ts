/** Gradient of a LoRA factor: a tall product reduced over tokens, added to the flat gradient buffer. */
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { chooseVariant, type Variant, type VariantTable } from '../gpu/variants.ts';
import type { MatrixView } from './matmul.ts';
import outerWgsl from './outer.wgsl?raw';
import slicesWgsl from './outer-slices.wgsl?raw';
import reduceWgsl from './outer-reduce.wgsl?raw';

/** Where element (i, j) of the result lies in the gradient buffer. */
export interface OuterTarget {
  buffer: GPUBuffer;
  offset: number;
  strideI: number;
  strideJ: number;
}

/** Where the result goes: element (i, j) to offset + i · strideI + j · strideJ. */
const TARGET = { offset: 'u32', strideI: 'u32', strideJ: 'u32', scale: 'f32', splits: 'u32' } as const;
const PARAMS = { rows: 'u32', countI: 'u32', countJ: 'u32', pStride: 'u32', pOffset: 'u32', qStride: 'u32', qOffset: 'u32', rowsPerSplit: 'u32', ...TARGET } as const;

const PLAIN = defineKernel({
  name: 'outer product',
  bindings: { p: 'read array<f32>', q: 'read array<f32>', result: 'write array<f32>' },
  params: PARAMS,
  wgsl: (constants: { ROWS: number; COLUMNS: number }) => withConstants(constants, outerWgsl),
});

const SLICES = defineKernel({
  name: 'outer product, slices',
  bindings: { p: 'read array<vec4<f32>>', q: 'read array<vec4<f32>>', result: 'write array<f32>' },
  params: PARAMS,
  wgsl: () => slicesWgsl,
});

/** A product over tokens with a small result. */
export interface OuterRequest {
  rows: number;
  countI: number;
  countJ: number;
  /** All strides, offsets and sizes are multiples of 4. */
  aligned: boolean;
}

export interface OuterVariant extends Variant<OuterRequest> {
  /** Values of i and j that a workgroup takes. */
  readonly tile: readonly [i: number, j: number];
  /** Tokens that a workgroup adds up; the others are added in a second dispatch. */
  readonly rowsPerSplit: number;
  /** Of the plain kernel; null: the one that reads whole fours. */
  readonly constants: { ROWS: number; COLUMNS: number } | null;
}

const ROWS = 2;
const DEPTH = 32;

function plain(name: string, COLUMNS: number, rowsPerSplit: number, rest: Pick<OuterVariant, 'profile'>): OuterVariant {
  return { name, tile: [8 * ROWS, 4 * COLUMNS], rowsPerSplit, constants: { ROWS, COLUMNS }, threads: ROWS * COLUMNS, workgroupBytes: 4 * DEPTH * (8 * ROWS + 4 * COLUMNS), ...rest };
}

export const OUTER_PRODUCTS: VariantTable<OuterRequest, OuterVariant> = {
  family: 'outer product',
  variants: [
    // Enough workgroups to fill a GPU although the result is small.
    { name: 'slices of 128 tokens', profile: 'gpu', tile: [16, 64], rowsPerSplit: 128, constants: null, threads: 256, workgroupBytes: 4 * DEPTH * (16 + 64) },
    plain('512 tokens a workgroup', 16, 512, { profile: 'gpu' }),
    plain('all tokens a workgroup', 4, Infinity, { profile: 'rasterizer' }),
  ],
  classOf: ({ rows, aligned }) => `${rows > 512 ? 'rows > 512' : 'rows ≤ 512'}${aligned ? '' : ', unaligned'}`,
};

/** Whether the variant gives a right result. */
export const canMultiplyOuter = ({ constants }: OuterVariant, { aligned }: Pick<OuterRequest, 'aligned'>): boolean => aligned || constants !== null;

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
export function accumulateOuter(gpu: Gpu, p: MatrixView, countI: number, q: MatrixView, countJ: number, rows: number, scale: number, target: OuterTarget, chosen?: OuterVariant): void {
  const request = { rows, countI, countJ, aligned: [countI, countJ, p.stride, p.offset, q.stride, q.offset].every((n) => n % 4 === 0) };
  const variant = chosen ?? chooseVariant(gpu, OUTER_PRODUCTS, request, (candidate) => canMultiplyOuter(candidate, request));
  const splits = Math.ceil(rows / variant.rowsPerSplit) || 1;
  const { buffer, offset, strideI, strideJ } = target;
  const place = { countI, countJ, offset, strideI, strideJ, scale, splits };
  const partial = splits > 1 ? gpu.empty([splits, countI, countJ]) : null;
  const launch = {
    bindings: { p: p.data, q: q.data, result: partial ?? buffer },
    params: { rows, pStride: p.stride, pOffset: p.offset, qStride: q.stride, qOffset: q.offset, rowsPerSplit: Math.ceil(rows / splits), ...place },
    groups: [Math.ceil(countJ / variant.tile[1]), Math.ceil(countI / variant.tile[0]), splits] as const,
  };
  if (variant.constants) gpu.run(PLAIN, { constants: variant.constants, ...launch });
  else gpu.run(SLICES, launch);
  if (!partial) return;
  gpu.run(REDUCE, { bindings: { partial, result: buffer }, params: place, groups: foldGroups(Math.ceil((countI * countJ) / 64)) });
  partial.dispose();
}
