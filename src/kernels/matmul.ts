/** Products with packed weights, forward and transposed, with bias, LoRA and residual in the same kernel. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import type { Binding } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import type { PackedWeight, WeightKind } from '../quantization/packed-weight.ts';
import { MATMUL, type MatmulForm, type MatmulVariant } from './matmul-wgsl.ts';
import { tileColumns, tileFor, tileRows, type Tile } from './tiles.ts';
import { weightValues } from './weight-wgsl.ts';

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
  tile?: Tile;
}

/** Packs the section offsets in the order the shaders read them. */
export function weightSections(packed: PackedWeight): GpuWeight['sections'] {
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
export function uploadWeight(gpu: Gpu, packed: PackedWeight): GpuWeight {
  return { kind: packed.kind, rows: packed.rows, cols: packed.cols, buffer: gpu.createBuffer(packed.words), sections: weightSections(packed) };
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

function launch(gpu: Gpu, form: MatmulForm, x: MatrixView, rows: number, columns: number, depth: number, weight: GpuWeight, y: MatrixView, options: MatmulOptions): void {
  const { lowRank, bias, add } = options;
  invariant(rows > 0, 'matmul without rows');
  const tile = options.tile ?? tileFor(gpu.profile, rows);
  const variant: MatmulVariant = {
    form,
    kind: weight.kind,
    tile,
    aligned: [weight.cols, columns, depth, x.stride, x.offset, y.stride, y.offset].every((n) => n % 4 === 0),
    segment: segmentFor(form, weight.cols, tile, gpu.profile === 'gpu' ? 8 : 32),
    lowRank: lowRank !== undefined || weight.kind === 'nf4' || weight.kind === 'int8',
    // Gradients span too many orders of magnitude for f16 without loss scaling.
    half: gpu.halfTiles && form === 'nt',
  };
  gpu.run(MATMUL, {
    constants: variant,
    bindings: { x: x.data, weights: weight.buffer, y: y.data, bias, addend: add === 'self' ? undefined : add, h: lowRank?.h.data, lowRank: lowRank?.factor },
    params: {
      rows, columns, depth, weightColumns: weight.cols, weightRow: options.rowStart ?? 0,
      xStride: x.stride, xOffset: x.offset, yStride: y.stride, yOffset: y.offset,
      ...weightValues(weight.sections),
      rank: lowRank?.rank ?? 0, hStride: lowRank?.h.stride ?? 0, hOffset: lowRank?.h.offset ?? 0,
      lowRankOffset: lowRank?.factorOffset ?? 0, lowRankScale: lowRank?.scale ?? 0,
      hasBias: bias !== undefined, addSelf: add === 'self', addOther: add !== undefined && add !== 'self',
    },
    groups: [Math.ceil(columns / tileColumns(tile)), Math.ceil(rows / tileRows(tile))],
  });
}

/** Longest run of weights, a power of two up to `limit`, that never leaves its row, scale block or tile. */
function segmentFor(form: MatmulForm, cols: number, tile: Tile, limit: number): number {
  const extent = form === 'nt' ? tile.depth : tileColumns(tile);
  let segment = 1;
  while (segment < limit && cols % (segment * 2) === 0 && extent % (segment * 2) === 0) segment *= 2;
  return segment >= 4 ? segment : 1;
}
