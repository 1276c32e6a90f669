/** Products with packed weights, forward and transposed, with bias, LoRA and residual in the same kernel. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, type Binding } from '../gpu/kernel.ts';
import { chooseVariant } from '../gpu/variants.ts';
import { invariant } from '../protocol/errors.ts';
import { layoutOf, memoryBytes, type PackedWeight, type WeightKind, type WeightLayout } from '../quantization/packed-weight.ts';
import type { MatmulForm, MatmulVariant } from './matmul-variant.ts';
import { matmulWgsl } from './matmul-wgsl.ts';
import { matvecWgsl } from './matvec-wgsl.ts';
import { PRODUCTS, splitsFor, type ProductRequest, type ProductVariant, type TileVariant, type VectorVariant } from './product-variants.ts';
import splitSumWgsl from './split-sum.wgsl?raw';
import { tileColumns, tileRows } from './tiles.ts';
import { WEIGHT_PARAMS, weightValues } from './weight-wgsl.ts';

/** A frozen matrix [rows N, cols K] on the GPU. */
export interface GpuWeight {
  kind: WeightKind;
  rows: number;
  cols: number;
  buffer: GPUBuffer;
  /** Section offsets in words, as the kernel wants them. */
  sections: readonly [number, number, number, number];
}

/** A view of a row-major float matrix inside a buffer: element (m, n) = data[m · stride + offset + n]. */
export interface MatrixView {
  data: Binding;
  stride: number;
  offset: number;
}

/** scale · H[M,r] · L, with L = B [N,r] forward or A [r,K] transposed, at `factorOffset` of `factor`. */
export interface LowRankTerm {
  h: MatrixView;
  factor: GPUBuffer;
  factorOffset: number;
  rank: number;
  scale: number;
}

export interface MatmulOptions {
  lowRank?: LowRankTerm;
  /** N values */
  bias?: Binding;
  /** Added to the result; same shape and strides as the output. "self" adds to what the output holds. */
  add?: Binding | 'self';
  /** First row of the weight used, and how many; for tables taken piece by piece. */
  rowStart?: number;
  rowCount?: number;
  /** Instead of the one that suits best; for benchmarks. */
  variant?: ProductVariant;
}

/** Element is a float, or four of them when all is aligned. */
const BINDINGS = {
  x: 'read array<Element>', weights: 'read array<u32>', y: 'write array<Element>',
  bias: 'read? array<f32>', addend: 'read? array<Element>',
  // of the low-rank product
  h: 'read? array<f32>', lowRank: 'read? array<f32>',
} as const;
const PARAMS = {
  // M, columns of Y, depth of the reduction
  rows: 'u32', columns: 'u32', depth: 'u32',
  weightColumns: 'u32',
  // first row of W used
  weightRow: 'u32',
  xStride: 'u32', xOffset: 'u32', yStride: 'u32', yOffset: 'u32',
  ...WEIGHT_PARAMS,
  rank: 'u32', hStride: 'u32', hOffset: 'u32', lowRankOffset: 'u32', lowRankScale: 'f32',
  hasBias: 'flag', addSelf: 'flag', addOther: 'flag',
  // rounds of depth in one piece of a sum
  splitRounds: 'u32',
} as const;

const MATMUL = defineKernel({ name: 'matmul', bindings: BINDINGS, params: PARAMS, wgsl: matmulWgsl });
const MATVEC = defineKernel({ name: 'matvec', bindings: BINDINGS, params: PARAMS, wgsl: matvecWgsl });

const SPLIT_SUM = defineKernel({
  name: 'sum of split products',
  bindings: { partial: 'read array<f32>', y: 'write array<f32>', bias: 'read? array<f32>', addend: 'read? array<f32>' },
  params: { rows: 'u32', columns: 'u32', splits: 'u32', yStride: 'u32', yOffset: 'u32', hasBias: 'flag', addSelf: 'flag', addOther: 'flag' },
  wgsl: () => splitSumWgsl,
});

/** Packs the section offsets in the order the shaders read them. */
export function weightSections(packed: WeightLayout): GpuWeight['sections'] {
  switch (packed.kind) {
    case 'nf4':
      return [packed.sections.absmaxQ, packed.sections.nestedAbsmax, packed.sections.offset, packed.sections.map];
    case 'int8':
      return [packed.sections.scale, 0, 0, 0];
    default:
      return [0, 0, 0, 0];
  }
}

/** Puts a packed matrix on the GPU. */
export function uploadWeight(gpu: Gpu, { kind, rows, cols, words }: PackedWeight): GpuWeight {
  return weightIn(gpu.createBuffer(words), kind, rows, cols);
}

/** Room on the GPU for a matrix in this form. */
export function emptyWeight(gpu: Gpu, kind: WeightKind, rows: number, cols: number): GpuWeight {
  return weightIn(gpu.createBuffer(memoryBytes(kind, rows, cols)), kind, rows, cols);
}

/** A matrix in this form whose words lie, or will lie, in a buffer of its own. */
export function weightIn(buffer: GPUBuffer, kind: WeightKind, rows: number, cols: number): GpuWeight {
  return { kind, rows, cols, buffer, sections: weightSections(layoutOf(kind, rows, cols)) };
}

/** A float matrix that lies at `offset` words in a shared buffer, e.g. one LoRA factor. */
export function floatWeight(buffer: GPUBuffer, offset: number, rows: number, cols: number): GpuWeight {
  return { kind: 'f32', rows, cols, buffer, sections: [offset, 0, 0, 0] };
}

/** Whole tensor [M, N] as a view. */
export function viewOf(tensor: tf.Tensor): MatrixView {
  return { data: tensor, stride: tensor.shape[tensor.shape.length - 1], offset: 0 };
}

/** Y[M,N] = X[M,K]·Wᵀ + …; writes into `y`. */
export function matmulForward(gpu: Gpu, x: MatrixView, rows: number, weight: GpuWeight, y: MatrixView, options: MatmulOptions = {}): void {
  const columns = options.rowCount ?? weight.rows;
  launch(gpu, 'nt', x, rows, columns, weight.cols, weight, y, options);
}

/** Y[M,K] = X[M,N]·W + …; the gradient of matmulForward's input. */
export function matmulTransposed(gpu: Gpu, x: MatrixView, rows: number, weight: GpuWeight, y: MatrixView, options: MatmulOptions = {}): void {
  const depth = options.rowCount ?? weight.rows;
  launch(gpu, 'nn', x, rows, weight.cols, depth, weight, y, options);
}

/** A product as asked for, before a variant is chosen. */
interface Product extends ProductRequest {
  x: MatrixView;
  weight: GpuWeight;
  y: MatrixView;
  options: MatmulOptions;
  aligned: boolean;
}

/** Whether a variant gives right results for such a product. */
export function canCompute(variant: ProductVariant, { form, rows, aligned }: Pick<Product, 'form' | 'rows' | 'aligned'>): boolean {
  return variant.family === 'tile' || (form === 'nt' && aligned && rows <= variant.rows);
}

function launch(gpu: Gpu, form: MatmulForm, x: MatrixView, rows: number, columns: number, depth: number, weight: GpuWeight, y: MatrixView, options: MatmulOptions): void {
  invariant(rows > 0, 'matmul without rows');
  const aligned = [weight.cols, columns, depth, x.stride, x.offset, y.stride, y.offset].every((n) => n % 4 === 0);
  // Gradients span too many orders of magnitude for f16 without loss scaling.
  const half = gpu.halfTiles && form === 'nt';
  const product: Product = { form, kind: weight.kind, half, rows, columns, depth, x, weight, y, options, aligned };
  const variant = options.variant ?? chooseVariant(gpu, PRODUCTS, product, (candidate) => canCompute(candidate, product));
  if (variant.family === 'vector') launchVector(gpu, product, variant);
  else launchTiles(gpu, product, variant);
}

/** What is added to the product itself. */
const additionsOf = ({ bias, add }: MatmulOptions) => ({
  buffers: { bias, addend: add === 'self' ? undefined : add },
  flags: { hasBias: bias !== undefined, addSelf: add === 'self', addOther: add !== undefined && add !== 'self' },
});

function launchOf({ rows, columns, depth, x, weight, y, options }: Product) {
  const { lowRank, rowStart } = options;
  const { buffers, flags } = additionsOf(options);
  return {
    bindings: { x: x.data, weights: weight.buffer, y: y.data, ...buffers, h: lowRank?.h.data, lowRank: lowRank?.factor },
    params: {
      rows, columns, depth, weightColumns: weight.cols, weightRow: rowStart ?? 0,
      xStride: x.stride, xOffset: x.offset, yStride: y.stride, yOffset: y.offset,
      ...weightValues(weight.sections),
      rank: lowRank?.rank ?? 0, hStride: lowRank?.h.stride ?? 0, hOffset: lowRank?.h.offset ?? 0,
      lowRankOffset: lowRank?.factorOffset ?? 0, lowRankScale: lowRank?.scale ?? 0,
      ...flags,
    },
  };
}

function launchVector(gpu: Gpu, product: Product, { rows }: VectorVariant): void {
  const { kind, cols } = product.weight;
  const { bindings, params } = launchOf(product);
  const constants = { kind, rows, segment: segmentFor(VECTOR_SEGMENT[kind], cols) };
  gpu.run(MATVEC, { constants, bindings, params: { ...params, splitRounds: 0 }, groups: foldGroups(Math.ceil(product.columns / 4)) });
}

function launchTiles(gpu: Gpu, product: Product, variant: TileVariant): void {
  const { form, half, rows, columns, depth, weight, y, options, aligned } = product;
  const { tile } = variant;
  const splits = splitsFor(variant, product);
  const constants: MatmulVariant = {
    form, kind: weight.kind, tile, aligned,
    segment: segmentFor(tile.segment, weight.cols, form === 'nt' ? tile.depth : tileColumns(tile)),
    half,
  };
  const rounds = Math.ceil(depth / tile.depth) + Math.ceil((options.lowRank?.rank ?? 0) / tile.depth);
  const splitRounds = Math.ceil(rounds / splits);
  const groups = [Math.ceil(columns / tileColumns(tile)), Math.ceil(rows / tileRows(tile)), splits] as const;
  if (splits === 1) {
    const { bindings, params } = launchOf(product);
    gpu.run(MATMUL, { constants, bindings, params: { ...params, splitRounds }, groups });
    return;
  }
  const partial = gpu.empty([splits, rows, columns]);
  const { bindings, params } = launchOf({ ...product, y: { data: partial, stride: columns, offset: 0 }, options: { ...options, bias: undefined, add: undefined } });
  gpu.run(MATMUL, { constants, bindings, params: { ...params, splitRounds }, groups });
  const { buffers, flags } = additionsOf(options);
  gpu.run(SPLIT_SUM, {
    bindings: { partial, y: y.data, ...buffers },
    params: { rows, columns, splits, yStride: y.stride, yOffset: y.offset, ...flags },
    groups: foldGroups(Math.ceil((rows * columns) / 64)),
  });
  partial.dispose();
}

/** Runs of at most 16 bytes. */
const VECTOR_SEGMENT: Readonly<Record<WeightKind, number>> = { nf4: 32, int8: 16, bf16: 8, f32: 4 };

/** Longest run of weights, a power of two up to `limit`, that divides all of `extents`: it never leaves its row, scale block or tile. 1 below 4. */
function segmentFor(limit: number, ...extents: number[]): number {
  let segment = 1;
  while (segment < limit && extents.every((extent) => extent % (segment * 2) === 0)) segment *= 2;
  return segment >= 4 ? segment : 1;
}
