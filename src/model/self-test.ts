/**
 * A small forward and backward computation on the user's own GPU against plain arithmetic: some drivers compute silently
 * wrong gradients, and the user should hear of it before training, not after.
 */
import type { Gpu } from '../gpu/gpu.ts';
import { attentionBackward, attentionForward } from '../kernels/attention.ts';
import { matmulForward, matmulTransposed, uploadWeight, viewOf } from '../kernels/matmul.ts';
import { normBackward, normForward } from '../kernels/norm.ts';
import { packNf4, unpack } from '../quantization/packed-weight.ts';

export interface SelfTest {
  passed: boolean;
  /** Largest difference, relative to the largest value expected. */
  maxError: number;
  milliseconds: number;
}

const TOLERANCE = 1e-4;
const ROWS = 19;
const WIDTH = 64;
const OUTPUTS = 48;

/** Compares an NF4 product and its transpose, RMSNorm and causal attention, each with its gradient, with the CPU. */
export async function selfTest(gpu: Gpu): Promise<SelfTest> {
  const start = performance.now();
  const errors = [await testProducts(gpu), await testNorm(gpu), await testAttention(gpu)];
  const maxError = Math.max(...errors);
  return { passed: maxError < TOLERANCE, maxError, milliseconds: performance.now() - start };
}

/** Fixed values without a pattern that tiles could hide. */
function wave(length: number, phase: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + phase) * Math.cos(i * 0.31 + 2 * phase));
}

function difference(actual: Float32Array, expected: Float64Array): number {
  let largest = 0;
  let size = 0;
  expected.forEach((value, i) => {
    largest = Math.max(largest, Number.isFinite(actual[i]) ? Math.abs(actual[i] - value) : Infinity);
    size = Math.max(size, Math.abs(value));
  });
  return largest / size;
}

async function testProducts(gpu: Gpu): Promise<number> {
  const packed = packNf4(wave(OUTPUTS * WIDTH, 1), OUTPUTS, WIDTH);
  const plain = unpack(packed);
  const weight = uploadWeight(gpu, packed);
  const x = wave(ROWS * WIDTH, 2);
  const g = wave(ROWS * OUTPUTS, 3);
  const y = new Float64Array(ROWS * OUTPUTS);
  const dx = new Float64Array(ROWS * WIDTH);
  for (let m = 0; m < ROWS; m++) {
    for (let n = 0; n < OUTPUTS; n++) {
      for (let k = 0; k < WIDTH; k++) {
        y[m * OUTPUTS + n] += x[m * WIDTH + k] * plain[n * WIDTH + k];
        dx[m * WIDTH + k] += g[m * OUTPUTS + n] * plain[n * WIDTH + k];
      }
    }
  }
  const [xt, gt, yt, dxt] = [gpu.upload(x, [ROWS, WIDTH]), gpu.upload(g, [ROWS, OUTPUTS]), gpu.empty([ROWS, OUTPUTS]), gpu.empty([ROWS, WIDTH])];
  matmulForward(gpu, viewOf(xt), ROWS, weight, viewOf(yt));
  matmulTransposed(gpu, viewOf(gt), ROWS, weight, viewOf(dxt));
  const error = Math.max(difference(await gpu.readFloats(yt), y), difference(await gpu.readFloats(dxt), dx));
  for (const tensor of [xt, gt, yt, dxt]) tensor.dispose();
  gpu.destroyBuffer(weight.buffer);
  return error;
}

async function testNorm(gpu: Gpu): Promise<number> {
  const x = wave(ROWS * WIDTH, 4);
  const w = wave(WIDTH, 5);
  const dy = wave(ROWS * WIDTH, 6);
  const y = new Float64Array(x.length);
  const dx = new Float64Array(x.length);
  const eps = 1e-6;
  for (let m = 0; m < ROWS; m++) {
    let squares = 0;
    let dot = 0;
    for (let i = 0; i < WIDTH; i++) squares += x[m * WIDTH + i] ** 2;
    const scale = 1 / Math.sqrt(squares / WIDTH + eps);
    for (let i = 0; i < WIDTH; i++) dot += dy[m * WIDTH + i] * w[i] * x[m * WIDTH + i];
    for (let i = m * WIDTH; i < (m + 1) * WIDTH; i++) {
      y[i] = x[i] * scale * w[i % WIDTH];
      dx[i] = scale * (dy[i] * w[i % WIDTH] - (x[i] * dot * scale * scale) / WIDTH);
    }
  }
  const weight = gpu.createBuffer(w);
  const [xt, dyt] = [gpu.upload(x, [ROWS, WIDTH]), gpu.upload(dy, [ROWS, WIDTH])];
  const norm = { weight, size: WIDTH, eps };
  const yt = normForward(gpu, xt, norm);
  const dxt = normBackward(gpu, xt, norm, dyt);
  const error = Math.max(difference(await gpu.readFloats(yt), y), difference(await gpu.readFloats(dxt), dx));
  for (const tensor of [xt, dyt, yt, dxt]) tensor.dispose();
  gpu.destroyBuffer(weight);
  return error;
}

/** One head, causal, two segments; gradients by the softmax formula. */
async function testAttention(gpu: Gpu): Promise<number> {
  const d = 16;
  const [q, k, v, dO] = [7, 8, 9, 10].map((phase) => wave(ROWS * d, phase));
  const starts = Array.from({ length: ROWS }, (_, row) => (row < 8 ? 0 : 8));
  const at = (values: Float32Array, row: number, i: number) => values[row * d + i];
  const [o, dq, dk, dv] = Array.from({ length: 4 }, () => new Float64Array(ROWS * d));
  for (let t = 0; t < ROWS; t++) {
    const keys = Array.from({ length: t - starts[t] + 1 }, (_, i) => starts[t] + i);
    const dot = (a: Float32Array, b: Float32Array, j: number) => Array.from({ length: d }, (_, i) => at(a, t, i) * at(b, j, i)).reduce((sum, value) => sum + value, 0);
    const weights = keys.map((j) => Math.exp(dot(q, k, j) / Math.sqrt(d)));
    const total = weights.reduce((sum, value) => sum + value, 0);
    const p = weights.map((value) => value / total);
    const dp = keys.map((j) => dot(dO, v, j));
    const mean = p.reduce((sum, value, j) => sum + value * dp[j], 0);
    keys.forEach((row, j) => {
      const ds = (p[j] * (dp[j] - mean)) / Math.sqrt(d);
      for (let i = 0; i < d; i++) {
        o[t * d + i] += p[j] * at(v, row, i);
        dq[t * d + i] += ds * at(k, row, i);
        dk[row * d + i] += ds * at(q, t, i);
        dv[row * d + i] += p[j] * at(dO, t, i);
      }
    });
  }
  const tensors = [q, k, v, dO].map((values) => gpu.upload(values, [ROWS, d]));
  const bounds = gpu.upload(Int32Array.from(starts.flatMap((start) => [start, start === 0 ? 8 : ROWS])), [ROWS, 2]);
  const inputs = { q: viewOf(tensors[0]), k: viewOf(tensors[1]), v: viewOf(tensors[2]), bounds };
  const shape = { rows: ROWS, heads: 1, kvHeads: 1, headDim: d, causal: true };
  const result = attentionForward(gpu, inputs, shape);
  const dvt = gpu.empty([ROWS, d]);
  const { dq: dqt, dk: dkt } = attentionBackward(gpu, inputs, shape, result, tensors[3], viewOf(dvt));
  const pairs = [[result.output, o], [dqt, dq], [dkt, dk], [dvt, dv]] as const;
  let error = 0;
  for (const [tensor, expected] of pairs) error = Math.max(error, difference(await gpu.readFloats(tensor), expected));
  for (const tensor of [...tensors, bounds, result.output, result.stats, dvt, dqt, dkt]) tensor.dispose();
  return error;
}
