/** Matrix products with packed weights, and the gradients of the factors of adapters. */
import { floatWeight, matmulForward, matmulTransposed, viewOf, type MatmulOptions } from '../../../src/kernels/matmul.ts';
import { accumulateOuter } from '../../../src/kernels/outer.ts';
import type { WeightKind } from '../../../src/quantization/packed-weight.ts';
import type { CompileContext, CompileEntry } from './run.ts';
import { LAYERS, RANKS } from './shapes.ts';

/** A class of rows each: a training step, a small vision window, decoding of several sequences and of one. */
const ROWS: readonly number[] = [160, 40, 8, 4, 1];
const RANK = 16;

interface Product {
  kind: WeightKind;
  n: number;
  k: number;
}

/** Every other pair of widths leads to a pipeline of one of these. */
const MATRICES: readonly Product[] = [
  { kind: 'nf4', n: 2048, k: 2048 },
  { kind: 'nf4', n: 2048, k: 6144 },
  // Rows of 3,420 weights: scale blocks cross them.
  { kind: 'nf4', n: 1280, k: 3420 },
  { kind: 'int8', n: 1024, k: 1024 },
  { kind: 'bf16', n: 2048, k: 2048 },
  // Odd sizes take the unaligned kernel.
  { kind: 'f32', n: 29, k: 37 },
];

function product({ gpu, floats, buffer, weight }: CompileContext, { kind, n, k }: Product, rows: number, half: boolean): void {
  const packed = weight(kind, n, k);
  const [x, y, h, factor] = [floats(rows, k), floats(rows, n), viewOf(floats(rows, RANK)), buffer(RANK * Math.max(n, k))];
  const options: MatmulOptions = { lowRank: { h, factor, factorOffset: 0, rank: RANK, scale: 1 } };
  gpu.halfTiles = half;
  matmulForward(gpu, viewOf(x), rows, packed, viewOf(y), options);
  gpu.halfTiles = false;
  if (!half) matmulTransposed(gpu, viewOf(y), rows, packed, viewOf(x), { ...options, add: 'self' });
}

/** H = X · Aᵀ and G = dY · B, whose matrices are factors. */
function factors({ gpu, floats, buffer }: CompileContext, rank: number, rows: number): void {
  const [width, shared] = [LAYERS[0].hidden, buffer(rank * LAYERS[0].hidden)];
  const [x, h] = [viewOf(floats(rows, width)), viewOf(floats(rows, rank))];
  matmulForward(gpu, x, rows, floatWeight(shared, 0, rank, width), h);
  matmulTransposed(gpu, x, rows, floatWeight(shared, 0, width, rank), h);
  matmulTransposed(gpu, h, rows, floatWeight(shared, 0, rank, width), x);
}

export const PRODUCTS: readonly CompileEntry[] = [
  ...MATRICES.flatMap((matrix) =>
    ROWS.map((rows) => ({ name: `product ${matrix.kind} ${rows} × ${matrix.n} × ${matrix.k}`, run: (context: CompileContext) => product(context, matrix, rows, false) })),
  ),
  ...ROWS.map((rows) => ({ name: `product f16 nf4 ${rows} × 2048 × 2048`, run: (context: CompileContext) => context.gpu.hasF16 && product(context, MATRICES[0], rows, true) })),
  ...RANKS.flatMap((rank) => ROWS.map((rows) => ({ name: `adapter rank ${rank}, ${rows} rows`, run: (context: CompileContext) => factors(context, rank, rows) }))),
  // An odd rank takes the unaligned kernel.
  ...[...RANKS, 5].map((rank) => ({
    name: `adapter gradient rank ${rank}`,
    run: ({ gpu, floats, buffer }: CompileContext) => {
      const [rows, width] = [1024, LAYERS[0].hidden];
      accumulateOuter(gpu, viewOf(floats(rows, rank)), rank, viewOf(floats(rows, width)), width, rows, 1, { buffer: buffer(rank * width), offset: 0, strideI: width, strideJ: 1 });
    },
  })),
];
