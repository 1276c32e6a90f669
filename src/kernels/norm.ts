/** RMSNorm and LayerNorm with frozen weights, forward and backward. */
import type * as tf from '@tensorflow/tfjs';
import { f32, foldGroups, withConstants, type Binding, type Gpu } from '../gpu/gpu.ts';
import wgsl from './norm.wgsl?raw';

/** Frozen normalisation; `bias` makes it a LayerNorm. */
export interface NormWeights {
  weight: GPUBuffer;
  bias?: GPUBuffer;
  /** Length of a row. */
  size: number;
  eps: number;
}

function launch(gpu: Gpu, entryPoint: 'forward' | 'backward', x: tf.Tensor, norm: NormWeights, other: Binding, addend: tf.Tensor | undefined): tf.Tensor {
  const centered = norm.bias !== undefined;
  const threads = gpu.profile === 'rasterizer' ? 4 : norm.size >= 1024 ? 128 : 64;
  const kernel = gpu.kernel({
    name: `norm_${entryPoint}_${centered ? 'layer' : 'rms'}_${threads}`,
    wgsl: () => withConstants({ THREADS: threads, CENTERED: centered }, wgsl),
    access: ['read', 'read', 'write', 'read', 'read'],
    entryPoint,
  });
  const y = gpu.empty(x.shape);
  const rows = x.size / norm.size;
  gpu.run(kernel, [x, norm.weight, y, other, addend ?? gpu.unusedBuffer], [rows, norm.size, f32(norm.eps), addend ? 1 : 0], foldGroups(rows));
  return y;
}

/** y = (x − mean) / √(var + eps) · w + b over rows of `norm.size`; without bias the mean is left in (RMSNorm). */
export function normForward(gpu: Gpu, x: tf.Tensor, norm: NormWeights): tf.Tensor {
  return launch(gpu, 'forward', x, norm, norm.bias ?? gpu.unusedBuffer, undefined);
}

/** Gradient of normForward's input; `addend` (the gradient that bypasses the block) is added to it. */
export function normBackward(gpu: Gpu, x: tf.Tensor, norm: NormWeights, dy: tf.Tensor, addend?: tf.Tensor): tf.Tensor {
  return launch(gpu, 'backward', x, norm, dy, addend);
}
