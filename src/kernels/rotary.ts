/** Rotary position embedding, with Qwen3's per-head RMSNorm in front where the model has one. */
import type * as tf from '@tensorflow/tfjs';
import { f32, withConstants, type Gpu } from '../gpu/gpu.ts';
import { viewOf, type MatrixView } from './matmul.ts';
import wgsl from './rotary.wgsl?raw';

/** cos and sin tables [rows, headDim / 2]. */
export interface RotaryTables {
  cos: tf.Tensor;
  sin: tf.Tensor;
}

export interface HeadNorm {
  /** headDim values */
  weight: GPUBuffer;
  eps: number;
}

/** Backward writes the gradient in the layout of x, forward the rotated heads [rows, heads · headDim]. */
function launch(gpu: Gpu, entryPoint: 'forward' | 'backward', x: MatrixView, rows: number, heads: number, headDim: number, tables: RotaryTables, norm: HeadNorm | null, rotated: MatrixView, other: MatrixView): void {
  const threads = gpu.profile === 'rasterizer' ? 16 : 64;
  const kernel = gpu.kernel({
    name: `rotary_${entryPoint}_${headDim}_${norm ? 'norm' : 'plain'}_${threads}`,
    wgsl: () => withConstants({ D: headDim, NORM: norm !== null, THREADS: threads }, wgsl),
    access: ['read', 'read', 'read', 'read', 'write', 'read'],
    entryPoint,
  });
  const [y, dy] = entryPoint === 'forward' ? [rotated.data, gpu.unusedBuffer] : [other.data, rotated.data];
  gpu.run(
    kernel,
    [x.data, norm?.weight ?? gpu.unusedBuffer, tables.cos, tables.sin, y, dy],
    [rows, heads, x.stride, x.offset, rotated.stride, rotated.offset, f32(norm?.eps ?? 0)],
    [Math.ceil((rows * heads) / threads)],
  );
}

/** Heads of x [rows, heads · headDim] normalised and rotated. */
export function rotaryForward(gpu: Gpu, x: MatrixView, rows: number, heads: number, headDim: number, tables: RotaryTables, norm: HeadNorm | null): tf.Tensor {
  const y = gpu.empty([rows, heads * headDim]);
  launch(gpu, 'forward', x, rows, heads, headDim, tables, norm, viewOf(y), x);
  return y;
}

/** Gradient with respect to x, written into `dx`, which has x's stride and offset. */
export function rotaryBackward(gpu: Gpu, x: MatrixView, rows: number, heads: number, headDim: number, tables: RotaryTables, norm: HeadNorm | null, dy: MatrixView, dx: MatrixView): void {
  launch(gpu, 'backward', x, rows, heads, headDim, tables, norm, dy, dx);
}
