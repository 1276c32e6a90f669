/** Candidate tile shapes of the matrix kernel, timed on this device in the shape of a demo layer. */
import { matmulForward, matmulTransposed, uploadWeight, viewOf } from '../src/kernels/matmul.ts';
import type { TileVariant } from '../src/kernels/product-variants.ts';
import { tileBytes, tileName, type Tile } from '../src/kernels/tiles.ts';
import { packNf4 } from '../src/quantization/packed-weight.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { timeMedian } from './result.ts';

const tile = (rows: number, columns: number, threadRows: number, threadColumns: number, depth: number): Tile => {
  const many = rows * columns >= 64;
  return { rows, columns, threadRows, threadColumns, depth, padding: many ? 1 : 0, chained: many, unrolled: many, segment: many ? 8 : 32 };
};

const variantOf = (tile: Tile): TileVariant => ({ name: tileName(tile), family: 'tile', tile, splits: false, threads: tile.rows * tile.columns, workgroupBytes: tileBytes(tile) });

const CANDIDATES: readonly Tile[] = [
  tile(2, 2, 16, 8, 32),
  tile(2, 2, 16, 16, 32),
  tile(4, 1, 16, 16, 32),
  tile(4, 1, 16, 16, 64),
  tile(4, 1, 16, 32, 32),
  tile(4, 1, 8, 32, 32),
  tile(2, 2, 16, 32, 32),
  tile(4, 1, 32, 16, 32),
  tile(8, 8, 4, 4, 16),
  tile(16, 16, 4, 4, 16),
  tile(16, 16, 8, 4, 16),
];

export const benchTiles: BenchGroup = {
  name: 'tiles',
  optional: true,
  run: async ({ gpu, report }: BenchContext) => {
    const [m, n, k] = gpu.profile === 'rasterizer' ? [832, 384, 128] : [1024, 2048, 2048];
    const weight = uploadWeight(gpu, packNf4(Float32Array.from({ length: n * k }, (_, i) => Math.sin(i)), n, k));
    const x = gpu.zeros([m, k]);
    const y = gpu.zeros([m, n]);
    const gflop = (2 * m * n * k) / 1e9;
    for (const candidate of CANDIDATES) {
      for (const transposed of [false, true]) {
        const ms = await timeMedian(
          async () => {
            if (transposed) matmulTransposed(gpu, viewOf(y), m, weight, viewOf(x), { variant: variantOf(candidate) });
            else matmulForward(gpu, viewOf(x), m, weight, viewOf(y), { variant: variantOf(candidate) });
            await gpu.finish();
          },
          { minMs: 400, minRuns: 3 },
        );
        report({ group: benchTiles.name, name: `${tileName(candidate)} ${transposed ? 'transposed' : 'forward'}`, shape: `${m} × ${n} × ${k}`, ms, value: (gflop / ms) * 1e3, unit: 'GFLOP/s', ratio: null });
      }
    }
    x.dispose();
    y.dispose();
    gpu.destroyBuffer(weight.buffer);
  },
};
