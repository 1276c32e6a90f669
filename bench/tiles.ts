/** Candidate tile shapes of the matrix kernel, timed on this device in shapes of a layer; each must give what the others give. */
import { matmulForward, matmulTransposed, uploadWeight, viewOf } from '../src/kernels/matmul.ts';
import { tileVariant, type TileVariant } from '../src/kernels/product-variants.ts';
import { tileName, type Tile } from '../src/kernels/tiles.ts';
import { checkEqual, values } from './compare.ts';
import { gpuMs } from './gpu-time.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { RandomNf4 } from './random-nf4.ts';

type Sides = readonly [rows: number, columns: number, threadRows: number, threadColumns: number, depth: number];

const tile = ([rows, columns, threadRows, threadColumns, depth]: Sides, padding: number, unrolled: boolean, ahead = false): TileVariant => {
  const many = rows * columns >= 64;
  const shape: Tile = { rows, columns, threadRows, threadColumns, depth, padding, chained: many, unrolled, segment: many ? 8 : 32, ahead };
  return tileVariant(`${tileName(shape)} padding ${padding}${unrolled ? ' unrolled' : ''}${ahead ? ' ahead' : ''}`, shape, { enough: 1 });
};

const RASTERIZER_SIDES: readonly Sides[] = [[2, 2, 16, 8, 32], [2, 2, 16, 16, 32], [4, 1, 16, 16, 32], [4, 1, 16, 32, 32], [2, 2, 16, 32, 32]];
const GPU_SIDES: readonly Sides[] = [
  [8, 8, 4, 4, 16], [8, 8, 8, 8, 16], [16, 8, 8, 8, 16], [8, 16, 8, 8, 16], [16, 16, 4, 4, 16], [16, 16, 4, 8, 16], [16, 16, 8, 4, 16], [16, 16, 8, 4, 32], [16, 16, 8, 8, 8], [16, 16, 8, 8, 16], [32, 16, 4, 4, 16],
];
const CANDIDATES = {
  rasterizer: [...RASTERIZER_SIDES.map((sides) => tile(sides, 0, false)), tile([8, 8, 4, 4, 16], 1, true), tile([16, 16, 8, 4, 16], 1, true), tile([16, 16, 8, 4, 16], 1, true, true)],
  gpu: [...GPU_SIDES.map((sides) => tile(sides, 1, true, true)), tile([16, 16, 8, 4, 16], 1, true), tile([16, 16, 8, 8, 16], 1, true)],
};

/** Rows, outputs, inputs: a demo layer; q and o, gate and up, down of Qwen3-VL 2B. */
const SIZES = { rasterizer: [[832, 384, 128]], gpu: [[1024, 2048, 2048], [1024, 6144, 2048], [256, 2048, 6144]] } as const;
const TOLERANCE = 1e-5;

export const benchTiles: BenchGroup = {
  name: 'tiles',
  optional: true,
  run: async ({ gpu, report }: BenchContext) => {
    const random = new RandomNf4(1);
    const candidates = CANDIDATES[gpu.profile].filter(({ workgroupBytes, threads }) => workgroupBytes <= gpu.device.limits.maxComputeWorkgroupStorageSize && threads <= gpu.device.limits.maxComputeInvocationsPerWorkgroup);
    for (const [m, n, k] of SIZES[gpu.profile]) {
      const weight = uploadWeight(gpu, random.weight(n, k));
      const [x, y] = [gpu.upload(values(m * k, 2), [m, k]), gpu.empty([m, n])];
      const [dy, dx] = [gpu.upload(values(m * n, 3), [m, n]), gpu.empty([m, k])];
      for (const transposed of [false, true]) {
        let expected: Float32Array | null = null;
        for (const variant of candidates) {
          const launch = () => (transposed ? matmulTransposed(gpu, viewOf(dy), m, weight, viewOf(dx), { variant }) : matmulForward(gpu, viewOf(x), m, weight, viewOf(y), { variant }));
          launch();
          const result = await gpu.readFloats(transposed ? dx : y, 1 << 16);
          expected ??= result;
          checkEqual(variant.name, result, expected, TOLERANCE);
          const ms = await gpuMs(gpu, launch, gpu.profile === 'gpu' ? 10 : 1);
          report({ group: benchTiles.name, name: `${variant.name}, ${transposed ? 'transposed' : 'forward'}`, shape: `${m} × ${n} × ${k}`, ms, value: (2 * m * n * k) / ms / 1e6, unit: 'GFLOP/s', ratio: null });
        }
      }
      for (const tensor of [x, y, dy, dx]) tensor.dispose();
      gpu.destroyBuffer(weight.buffer);
    }
  },
};
