/** One packed AdamW for all trainable values: norm, clipping, update and clearing in three dispatches. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel } from '../gpu/kernel.ts';
import wgsl from './adamw.wgsl?raw';

/** Flat buffers of `count` floats. */
export interface AdamWBuffers {
  count: number;
  weights: GPUBuffer;
  gradients: GPUBuffer;
  m: GPUBuffer;
  v: GPUBuffer;
}

export interface AdamWSettings {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** 0 = no clipping */
  maxGradNorm: number;
}

export interface AdamWStep extends AdamWSettings {
  /** 1 for the first update. */
  step: number;
}

const NORM_GROUPS = 256;

const step = (entryPoint: 'squares' | 'finishNorm' | 'update') =>
  defineKernel({
    name: `AdamW ${entryPoint}`,
    bindings: {
      weights: 'write array<f32>', gradients: 'write array<f32>', m: 'write array<f32>', v: 'write array<f32>',
      partial: 'write array<f32>', norm: 'write array<f32>',
    },
    params: {
      count: 'u32', groups: 'u32',
      learningRate: 'f32', beta1: 'f32', beta2: 'f32', epsilon: 'f32', maxNorm: 'f32',
      // Differences from 1 come from the CPU: in float32, 1 − 0.999 is off by 5e-5 of itself.
      newShare1: 'f32', newShare2: 'f32', decay: 'f32',
      correction1: 'f32', correction2: 'f32',
    },
    wgsl: () => wgsl,
    entryPoint,
  });
const SQUARES = step('squares');
const FINISH_NORM = step('finishNorm');
const UPDATE = step('update');

/** Decoupled weight decay as in PyTorch's AdamW. Clears the gradients; returns their norm before clipping as a tensor of one number. */
export function adamWStep(gpu: Gpu, { count, ...buffers }: AdamWBuffers, options: AdamWStep): tf.Tensor {
  const { learningRate, beta1, beta2, epsilon } = options;
  const groups = Math.min(NORM_GROUPS, Math.ceil(count / 64));
  const partial = gpu.empty([groups]);
  const norm = gpu.empty([1]);
  const bindings = { partial, norm, ...buffers };
  const params = {
    count, groups, learningRate, beta1, beta2, epsilon,
    maxNorm: options.maxGradNorm,
    newShare1: 1 - beta1,
    newShare2: 1 - beta2,
    decay: 1 - learningRate * options.weightDecay,
    correction1: 1 - beta1 ** options.step,
    correction2: 1 - beta2 ** options.step,
  };
  gpu.run(SQUARES, { bindings, params, groups: [groups] });
  gpu.run(FINISH_NORM, { bindings, params, groups: [1] });
  gpu.run(UPDATE, { bindings, params, groups: foldGroups(Math.ceil(count / 64)) });
  partial.dispose();
  return norm;
}
