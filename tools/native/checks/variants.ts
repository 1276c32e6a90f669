/** Kernels in the shapes meant for a GPU against the plain ones that the tests cover, at sizes of published models and odd ones. */
import { attentionBackward, attentionForward, type AttentionShape } from '../../../src/kernels/attention.ts';
import { ATTENTION_VARIANTS, canAttend, type AttentionVariant } from '../../../src/kernels/attention-variants.ts';
import { matmulForward, matmulTransposed, uploadWeight, viewOf, type MatmulOptions } from '../../../src/kernels/matmul.ts';
import { accumulateOuter, canMultiplyOuter, OUTER_PRODUCTS, type OuterVariant } from '../../../src/kernels/outer.ts';
import { PRODUCT_VARIANTS } from '../../../src/kernels/product-variants.ts';
import { packWeight, type WeightKind } from '../../../src/quantization/packed-weight.ts';
import type { Gpu } from '../../../src/gpu/gpu.ts';
import { noise, relativeL2 } from './numbers.ts';
import type { CheckContext, CheckGroup } from './run.ts';

/** Sums of the same float32 terms in another order. */
const LIMIT = 2e-6;

const ATTENTION: readonly (AttentionShape & { segment: number })[] = [
  { rows: 520, heads: 16, kvHeads: 8, headDim: 128, causal: true, segment: 520 },
  { rows: 333, heads: 4, kvHeads: 4, headDim: 64, causal: false, segment: 64 },
  { rows: 333, heads: 4, kvHeads: 2, headDim: 80, causal: false, segment: 100 },
  { rows: 200, heads: 8, kvHeads: 1, headDim: 96, causal: true, segment: 77 },
  { rows: 150, heads: 8, kvHeads: 2, headDim: 256, causal: true, segment: 150 },
];

async function attention(gpu: Gpu, hold: CheckContext['hold'], { segment, ...shape }: (typeof ATTENTION)[number]): Promise<void> {
  const { rows, heads, kvHeads, headDim } = shape;
  const of = (count: number, seed: number) => gpu.upload(noise(rows * count * headDim, seed), [rows, count * headDim]);
  const [q, k, v, dO, dv] = [of(heads, 1), of(kvHeads, 2), of(kvHeads, 3), of(heads, 4), of(kvHeads, 5)];
  const bounds = gpu.upload(Int32Array.from({ length: 2 * rows }, (_, i) => { const first = Math.floor(i / 2 / segment) * segment; return i % 2 === 0 ? first : Math.min(rows, first + segment); }), [rows, 2]);
  const inputs = { q: viewOf(q), k: viewOf(k), v: viewOf(v), bounds };
  const run = async (variant: AttentionVariant) => {
    const result = attentionForward(gpu, inputs, shape, variant);
    const { dq, dk } = attentionBackward(gpu, inputs, shape, result, dO, viewOf(dv), variant);
    const values = [await gpu.readFloats(result.output), await gpu.readFloats(dq), await gpu.readFloats(dk), await gpu.readFloats(dv)];
    for (const tensor of [result.output, result.stats, dq, dk]) tensor.dispose();
    return values;
  };
  const able = ATTENTION_VARIANTS.filter((variant) => canAttend(gpu, variant, headDim));
  const plain = await run(able[able.length - 1]);
  for (const variant of able.slice(0, -1)) {
    const values = await run(variant);
    ['output', 'dq', 'dk', 'dv'].forEach((name, i) => hold(`attention, ${variant.name}, heads of ${headDim}: ${name}`, relativeL2(values[i], plain[i]), LIMIT));
  }
  for (const tensor of [q, k, v, dO, dv, bounds]) tensor.dispose();
}

async function outer(gpu: Gpu, hold: CheckContext['hold'], rows: number, rank: number, width: number): Promise<void> {
  const [p, q] = [gpu.upload(noise(rows * rank, 1), [rows, rank]), gpu.upload(noise(rows * width, 2), [rows, width])];
  const run = async (variant: OuterVariant) => {
    const buffer = gpu.createBuffer(new Float32Array(rank * width));
    accumulateOuter(gpu, viewOf(p), rank, viewOf(q), width, rows, 0.5, { buffer, offset: 0, strideI: width, strideJ: 1 }, variant);
    const values = await gpu.readFloats(buffer);
    gpu.destroyBuffer(buffer);
    return values;
  };
  const able = OUTER_PRODUCTS.variants.filter((variant) => canMultiplyOuter(variant, { aligned: rank % 4 === 0 && width % 4 === 0 }));
  const plain = await run(able[able.length - 1]);
  for (const variant of able.slice(0, -1)) hold(`outer product, ${variant.name}, ${rows} × ${rank} × ${width}`, relativeL2(await run(variant), plain), LIMIT);
  p.dispose();
  q.dispose();
}

async function products(gpu: Gpu, hold: CheckContext['hold'], kind: WeightKind, m: number, n: number, k: number): Promise<void> {
  const rank = 16;
  const weight = uploadWeight(gpu, packWeight(kind, noise(n * k, 1).map((value) => value * 0.1), n, k));
  const [x, y, dy, dx, h] = [gpu.upload(noise(m * k, 2), [m, k]), gpu.empty([m, n]), gpu.upload(noise(m * n, 3), [m, n]), gpu.empty([m, k]), gpu.upload(noise(m * rank, 4), [m, rank])];
  const factor = gpu.createBuffer(noise(rank * Math.max(n, k), 5));
  const options: MatmulOptions = { lowRank: { h: viewOf(h), factor, factorOffset: 0, rank, scale: 0.5 } };
  const run = async (name: string) => {
    gpu.forced.add(name);
    matmulForward(gpu, viewOf(x), m, weight, viewOf(y), options);
    matmulTransposed(gpu, viewOf(dy), m, weight, viewOf(dx), options);
    gpu.forced.delete(name);
    return [await gpu.readFloats(y), await gpu.readFloats(dx)];
  };
  const plain = await run('rasterizer tall');
  for (const { name } of PRODUCT_VARIANTS.filter(({ profile }) => profile !== 'rasterizer')) {
    const values = await run(name);
    ['forward', 'transposed'].forEach((form, i) => hold(`${name}, ${kind} ${m} × ${n} × ${k}: ${form}`, relativeL2(values[i], plain[i]), LIMIT));
  }
  for (const tensor of [x, y, dy, dx, h]) tensor.dispose();
  for (const buffer of [weight.buffer, factor]) gpu.destroyBuffer(buffer);
}

export const checkVariants: CheckGroup = {
  name: 'variants',
  needsF16: false,
  async run({ open, hold }) {
    const gpu = await open();
    for (const shape of ATTENTION) await attention(gpu, hold, shape);
    for (const [rows, rank, width] of [[1000, 48, 2048], [70, 16, 100], [300, 5, 64]] as const) await outer(gpu, hold, rows, rank, width);
    for (const kind of ['nf4', 'int8', 'bf16', 'f32'] as const) await products(gpu, hold, kind, 300, 208, 1040);
    await products(gpu, hold, 'nf4', 7, 200, 512);
    await products(gpu, hold, 'nf4', 45, 29, 37);
  },
};
