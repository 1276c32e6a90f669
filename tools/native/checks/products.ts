/** Forward products with f16 tiles against f32 ones, and f32 ones against doubles. */
import type { Gpu } from '../../../src/gpu/gpu.ts';
import { matmulForward, uploadWeight, viewOf, type MatmulOptions } from '../../../src/kernels/matmul.ts';
import { packF32, packWeight, unpack, type WeightKind } from '../../../src/quantization/packed-weight.ts';
import { largestError, noise, relativeL2 } from './numbers.ts';
import type { CheckContext, CheckGroup } from './run.ts';

const F16_UNIT = 2 ** -11;
/**
 * Of Σ|x·w|. Per term: x and w rounded to f16, one product and three additions of four terms in f16. The low-rank part
 * and what lies below the smallest normal f16 number add less than the last unit.
 */
const F16_WORST = 7 * F16_UNIT;
/** Rounding errors are as good as independent: √6 uniform ones of at most a unit, 2⁻¹¹·√(6/3), with a third to spare. */
const F16_TYPICAL = F16_UNIT * Math.sqrt(2) * 1.33;

interface Shape {
  kind: WeightKind;
  m: number;
  n: number;
  k: number;
  rank: number;
}

const KINDS: readonly WeightKind[] = ['nf4', 'int8', 'bf16', 'f32'];
/** Odd sizes take the unaligned kernel, few rows the flat tile of decoding. */
const ODD: readonly (readonly [m: number, n: number, k: number])[] = [[37, 48, 64], [33, 29, 37], [5, 128, 96]];
/** Layers of Qwen3-VL 2B: q and o, k and v, gate and up, down; qkv and fc1 of the vision tower, a merger. */
const LAYERS: readonly (readonly [n: number, k: number])[] = [[2048, 2048], [1024, 2048], [6144, 2048], [2048, 6144], [3072, 1024], [4096, 1024], [2048, 4096]];
/** Rows of a full-size product: two tiles and a rest. */
const ROWS = 160;

/** Few combinations: a CPU driver compiles each kernel for half a minute. */
const SHAPES: readonly Shape[] = [
  ...ODD.map(([m, n, k]) => ({ kind: 'nf4' as const, m, n, k, rank: 5 })),
  ...LAYERS.map(([n, k]) => ({ kind: 'nf4' as const, m: ROWS, n, k, rank: 16 })),
  { kind: 'nf4', m: 4, n: 2048, k: 6144, rank: 16 },
  ...KINDS.slice(1).map((kind) => ({ kind, m: ROWS, n: 1024, k: 1024, rank: 16 })),
];

async function product(gpu: Gpu, half: boolean, launch: () => void, y: Parameters<Gpu['readFloats']>[0]): Promise<Float32Array> {
  gpu.halfTiles = half;
  launch();
  gpu.halfTiles = false;
  return gpu.readFloats(y);
}

async function checkShape(gpu: Gpu, hold: CheckContext['hold'], { kind, m, n, k, rank }: Shape): Promise<void> {
  const name = `${kind} ${m} × ${n} × ${k}`;
  const packed = packWeight(kind, noise(n * k, 1).map((value) => value * 0.1), n, k);
  const w = unpack(packed);
  const [x, h, b] = [noise(m * k, 2).map((value) => value * 4), noise(m * rank, 3), noise(n * rank, 4)];
  const abs = (values: Float32Array) => values.map(Math.abs);
  const tensors = { x: gpu.upload(x, [m, k]), h: gpu.upload(h, [m, rank]), y: gpu.empty([m, n]), absX: gpu.upload(abs(x), [m, k]), absH: gpu.upload(abs(h), [m, rank]) };
  const [weight, absWeight] = [uploadWeight(gpu, packed), uploadWeight(gpu, packF32(abs(w), n, k))];
  const [factor, absFactor] = [gpu.createBuffer(b), gpu.createBuffer(abs(b))];
  const options: MatmulOptions = { lowRank: { h: viewOf(tensors.h), factor, factorOffset: 0, rank, scale: 2 } };
  const launch = () => matmulForward(gpu, viewOf(tensors.x), m, weight, viewOf(tensors.y), options);

  const full = await product(gpu, false, launch, tensors.y);
  const halves = await product(gpu, true, launch, tensors.y);
  const sizes = await product(
    gpu,
    false,
    () => matmulForward(gpu, viewOf(tensors.absX), m, absWeight, viewOf(tensors.y), { lowRank: { h: viewOf(tensors.absH), factor: absFactor, factorOffset: 0, rank, scale: 2 } }),
    tensors.y,
  );

  // Doubles only here and there: a full-size product on the CPU takes minutes.
  const places = Array.from({ length: Math.min(64, m * n) }, (_, i) => Math.floor((i * 0.6180339887 * m * n) % (m * n)));
  const exact = places.map((at) => {
    const [row, column] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let i = 0; i < k; i++) sum += x[row * k + i] * w[column * k + i];
    for (let r = 0; r < rank; r++) sum += 2 * h[row * rank + r] * b[column * rank + r];
    return sum;
  });
  const at = (values: Float32Array) => places.map((place) => values[place]);
  hold(`${name}: f32 against doubles, of Σ|x·w|`, largestError(at(full), exact, at(sizes)), (k + rank) * 2 ** -24);
  hold(`${name}: f16 against f32, of Σ|x·w|`, largestError(halves, full, sizes), F16_WORST);
  if (m * n >= 1000) hold(`${name}: f16 against f32, whole matrix`, relativeL2(halves, full), F16_TYPICAL);

  for (const tensor of Object.values(tensors)) tensor.dispose();
  for (const buffer of [weight.buffer, absWeight.buffer, factor, absFactor]) gpu.destroyBuffer(buffer);
}

export const checkProducts: CheckGroup = {
  name: 'products',
  needsF16: true,
  run: async ({ open, hold }) => {
    const gpu = await open();
    for (const shape of SHAPES) await checkShape(gpu, hold, shape);
  },
};
