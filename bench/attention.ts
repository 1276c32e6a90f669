/** Attention in the shapes of published models: floating-point operations of the products that are needed, over time. */
import { attentionBackward, attentionForward, type AttentionShape } from '../src/kernels/attention.ts';
import { viewOf } from '../src/kernels/matmul.ts';
import { values } from './compare.ts';
import { dispatchTimes, warmUp } from './gpu-time.ts';
import type { BenchContext, BenchGroup } from './page.ts';
import { median, timeMedian } from './result.ts';

const SHAPES: readonly (AttentionShape & { name: string })[] = [
  { name: '2B decoder', rows: 1024, heads: 16, kvHeads: 8, headDim: 128, causal: true },
  { name: '2B decoder', rows: 2048, heads: 16, kvHeads: 8, headDim: 128, causal: true },
  { name: '2B vision', rows: 1024, heads: 16, kvHeads: 16, headDim: 64, causal: false },
  { name: '2.5 3B vision', rows: 1024, heads: 16, kvHeads: 16, headDim: 80, causal: false },
  { name: '3.5 decoder', rows: 1024, heads: 8, kvHeads: 2, headDim: 256, causal: true },
];
const RASTERIZER_SHARE = 8;
const RUNS = 20;
/** Products that each kernel makes: scores and output; scores, dP and dQ; scores, dP, dV and dK. */
const PRODUCTS = [2, 3, 4];
const KERNELS = ['forward', 'backward q', 'backward kv'];

async function measure({ gpu, report }: BenchContext, { name, ...shape }: (typeof SHAPES)[number]): Promise<void> {
  const { rows, heads, kvHeads, headDim, causal } = shape;
  const filled = (count: number, seed: number) => gpu.upload(values(rows * count * headDim, seed), [rows, count * headDim]);
  const [q, k, v, dO, dv] = [filled(heads, 1), filled(kvHeads, 2), filled(kvHeads, 3), filled(heads, 4), filled(kvHeads, 5)];
  const bounds = gpu.upload(Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2) * rows), [rows, 2]);
  const inputs = { q: viewOf(q), k: viewOf(k), v: viewOf(v), bounds };
  const launch = () => {
    const result = attentionForward(gpu, inputs, shape);
    const { dq, dk } = attentionBackward(gpu, inputs, shape, result, dO, viewOf(dv));
    for (const tensor of [result.output, result.stats, dq, dk]) tensor.dispose();
  };
  const perProduct = 2 * rows * rows * headDim * heads * (causal ? 0.5 : 1);
  const size = `${rows} rows, ${heads}/${kvHeads} heads of ${headDim}`;
  const tell = (kernel: string, ms: number, products: number) =>
    report({ group: benchAttention.name, name: `${name}, ${kernel}`, shape: size, ms, value: (products * perProduct) / ms / 1e6, unit: 'GFLOP/s', ratio: null });
  launch();
  await warmUp(gpu, launch);
  if (gpu.device.features.has('timestamp-query') && gpu.profile === 'gpu') {
    const times = await dispatchTimes(gpu, () => {
      for (let i = 0; i < RUNS; i++) launch();
    });
    KERNELS.forEach((kernel, i) => tell(kernel, median(times.filter((_, at) => at % KERNELS.length === i).map(({ ms }) => ms)), PRODUCTS[i]));
  } else {
    const ms = await timeMedian(async () => {
      launch();
      await gpu.finish();
    });
    tell('forward and backward', ms, 9);
  }
  for (const tensor of [q, k, v, dO, dv, bounds]) tensor.dispose();
}

export const benchAttention: BenchGroup = {
  name: 'attention',
  optional: true,
  run: async (context) => {
    const share = context.gpu.profile === 'rasterizer' ? RASTERIZER_SHARE : 1;
    for (const shape of SHAPES) await measure(context, { ...shape, rows: shape.rows / share, heads: shape.heads / (share > 1 ? 2 : 1), kvHeads: shape.kvHeads / (share > 1 ? 2 : 1) });
  },
};
