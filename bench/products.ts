/** NF4 products in the shapes of published models, forward and transposed: FLOPs at many rows, bytes of packed weights at few. */
import { matmulForward, matmulTransposed, viewOf, weightSections, type GpuWeight } from '../src/kernels/matmul.ts';
import { memoryBytes, nf4Sections, type PackedNf4 } from '../src/quantization/packed-weight.ts';
import { gpuMs } from './gpu-time.ts';
import type { BenchContext, BenchGroup } from './page.ts';

const ROWS: readonly number[] = [1, 8, 256, 1024, 2048];
/** q and o, k and v, gate and up, down of Qwen3-VL 2B; gate and up, down of Qwen2.5-VL 3B. */
const MATRICES: readonly (readonly [n: number, k: number])[] = [[2048, 2048], [1024, 2048], [6144, 2048], [2048, 6144], [11008, 2048], [2048, 11008]];
/** On a CPU: rows and widths are divided by it. */
const RASTERIZER_SHARE = 8;
/** Up to here the time is that of reading the weights. */
const FEW_ROWS = 8;

/** Of zeros: kernels take the same time for any values. */
function emptyWeight({ gpu }: BenchContext, rows: number, cols: number): GpuWeight {
  const sections = weightSections({ kind: 'nf4', sections: nf4Sections(rows, cols) } as PackedNf4);
  return { kind: 'nf4', rows, cols, buffer: gpu.createBuffer(memoryBytes('nf4', rows, cols)), sections };
}

async function measure(context: BenchContext, m: number, n: number, k: number): Promise<void> {
  const { gpu, report } = context;
  const weight = emptyWeight(context, n, k);
  const [x, y] = [gpu.zeros([m, k]), gpu.zeros([m, n])];
  // Several in one submit, so that its cost does not count.
  const times = gpu.profile === 'gpu' ? 20 : Math.max(1, Math.min(20, Math.round(2e10 / (m * n * k))));
  const forward = () => matmulForward(gpu, viewOf(x), m, weight, viewOf(y));
  for (const [direction, half, launch] of [
    ['forward', false, forward],
    ...(gpu.device.features.has('shader-f16') && m > FEW_ROWS ? [['forward, tiles in f16', true, forward] as const] : []),
    ['transposed', false, () => matmulTransposed(gpu, viewOf(y), m, weight, viewOf(x))],
  ] as const) {
    gpu.halfTiles = half;
    launch();
    await gpu.finish();
    const ms = await gpuMs(gpu, launch, times);
    const figure = m <= FEW_ROWS ? { value: memoryBytes('nf4', n, k) / ms / 1e6, unit: 'GB/s' } : { value: (2 * m * n * k) / ms / 1e6, unit: 'GFLOP/s' };
    gpu.halfTiles = false;
    report({ group: benchProducts.name, name: direction, shape: `${m} × ${n} × ${k}`, ms, ...figure, ratio: null });
  }
  for (const tensor of [x, y]) tensor.dispose();
  gpu.destroyBuffer(weight.buffer);
}

export const benchProducts: BenchGroup = {
  name: 'products',
  optional: true,
  run: async (context) => {
    const share = context.gpu.profile === 'rasterizer' ? RASTERIZER_SHARE : 1;
    for (const m of ROWS) for (const [n, k] of MATRICES) await measure(context, m <= FEW_ROWS ? m : m / share, n / share, k / share);
  },
};
