/** RMSNorm per head, gated by SiLU of a second input; frozen weight shared by the heads. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import commonWgsl from './gated-norm.wgsl?raw';
import backwardWgsl from './gated-norm-backward.wgsl?raw';
import forwardWgsl from './gated-norm-forward.wgsl?raw';
import type { MatrixView } from './matmul.ts';
import type { NormWeights } from './norm.ts';

/** Of the size of a head. */
export type GatedNormWeights = Omit<NormWeights, 'bias'>;

interface Constants {
  SIZE: number;
  THREADS: number;
}

const INPUTS = { x: 'read array<f32>', z: 'read array<f32>', weight: 'read array<f32>' } as const;
const PARAMS = { heads: 'u32', headsPerRow: 'u32', eps: 'f32', zStride: 'u32', zOffset: 'u32' } as const;

const FORWARD = defineKernel({
  name: 'gated norm forward',
  bindings: { ...INPUTS, y: 'write array<f32>' },
  params: PARAMS,
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + forwardWgsl),
});

const BACKWARD = defineKernel({
  name: 'gated norm backward',
  bindings: { ...INPUTS, dy: 'read array<f32>', dx: 'write array<f32>', dz: 'write array<f32>' },
  params: { ...PARAMS, dzStride: 'u32', dzOffset: 'u32' },
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + backwardWgsl),
});

const constantsOf = (gpu: Gpu, { size }: GatedNormWeights): Constants => ({ SIZE: size, THREADS: gpu.shape.headThreads });

function paramsOf(x: tf.Tensor, z: MatrixView, { size, eps }: GatedNormWeights) {
  const heads = x.size / size;
  return { heads, headsPerRow: heads / x.shape[0], eps, zStride: z.stride, zOffset: z.offset };
}

/**
 * x / √(mean(x²) + eps) · weight · silu(z); the mean is over a head of `norm.size` values.
 * @param x [rows, heads · norm.size]
 * @param z the same shape
 */
export function gatedNormForward(gpu: Gpu, x: tf.Tensor, z: MatrixView, norm: GatedNormWeights): tf.Tensor {
  const y = gpu.empty(x.shape);
  const params = paramsOf(x, z, norm);
  gpu.run(FORWARD, { constants: constantsOf(gpu, norm), bindings: { x, z: z.data, weight: norm.weight, y }, params, groups: foldGroups(params.heads) });
  return y;
}

/** Gradient of x; that of z is written to `dz`. Needs nothing of forward but its inputs. */
export function gatedNormBackward(gpu: Gpu, x: tf.Tensor, z: MatrixView, norm: GatedNormWeights, dy: tf.Tensor, dz: MatrixView): tf.Tensor {
  const dx = gpu.empty(x.shape);
  const params = paramsOf(x, z, norm);
  gpu.run(BACKWARD, {
    constants: constantsOf(gpu, norm),
    bindings: { x, z: z.data, weight: norm.weight, dy, dx, dz: dz.data },
    params: { ...params, dzStride: dz.stride, dzOffset: dz.offset },
    groups: foldGroups(params.heads),
  });
  return dx;
}
