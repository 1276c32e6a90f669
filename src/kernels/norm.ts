/** RMSNorm and LayerNorm with frozen weights, forward and backward. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import commonWgsl from './norm.wgsl?raw';
import backwardWgsl from './norm-backward.wgsl?raw';
import forwardWgsl from './norm-forward.wgsl?raw';

/** Frozen normalisation; `bias` makes it a LayerNorm. */
export interface NormWeights {
  weight: GPUBuffer;
  bias?: GPUBuffer;
  /** Length of a row. */
  size: number;
  eps: number;
}

interface Constants {
  THREADS: number;
  /** LayerNorm */
  CENTERED: boolean;
}

const FORWARD = defineKernel({
  name: 'norm forward',
  bindings: { x: 'read array<f32>', weight: 'read array<f32>', bias: 'read? array<f32>', y: 'write array<f32>' },
  params: { rows: 'u32', size: 'u32', eps: 'f32' },
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + forwardWgsl),
});

const BACKWARD = defineKernel({
  name: 'norm backward',
  bindings: { x: 'read array<f32>', weight: 'read array<f32>', dy: 'read array<f32>', addend: 'read? array<f32>', dx: 'write array<f32>' },
  params: { rows: 'u32', size: 'u32', eps: 'f32', hasAddend: 'flag' },
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + backwardWgsl),
});

function constantsOf(gpu: Gpu, norm: NormWeights): Constants {
  return { THREADS: norm.size >= 1024 ? gpu.shape.rowThreads.long : gpu.shape.rowThreads.short, CENTERED: norm.bias !== undefined };
}

/** y = (x − mean) / √(var + eps) · w + b over rows of `norm.size`; without bias the mean is left in (RMSNorm). */
export function normForward(gpu: Gpu, x: tf.Tensor, norm: NormWeights): tf.Tensor {
  const { weight, bias, size, eps } = norm;
  const rows = x.size / size;
  const y = gpu.empty(x.shape);
  gpu.run(FORWARD, { constants: constantsOf(gpu, norm), bindings: { x, weight, bias, y }, params: { rows, size, eps }, groups: foldGroups(rows) });
  return y;
}

/** Gradient of normForward's input; `addend` (the gradient that bypasses the block) is added to it. */
export function normBackward(gpu: Gpu, x: tf.Tensor, norm: NormWeights, dy: tf.Tensor, addend?: tf.Tensor): tf.Tensor {
  const { weight, size, eps } = norm;
  const rows = x.size / size;
  const dx = gpu.empty(x.shape);
  gpu.run(BACKWARD, {
    constants: constantsOf(gpu, norm),
    bindings: { x, weight, dy, addend, dx },
    params: { rows, size, eps, hasAddend: addend !== undefined },
    groups: foldGroups(rows),
  });
  return dx;
}
