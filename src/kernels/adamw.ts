/** One packed AdamW for all trainable values: norm, clipping, update and clearing in three dispatches. */
import type * as tf from '@tensorflow/tfjs';
import { f32, foldGroups, type Gpu } from '../gpu/gpu.ts';
import type { AdamWSettings } from '../training/model-contract.ts';
import wgsl from './adamw.wgsl?raw';

/** Flat buffers of `count` floats. */
export interface AdamWBuffers {
  count: number;
  weights: GPUBuffer;
  gradients: GPUBuffer;
  m: GPUBuffer;
  v: GPUBuffer;
}

export interface AdamWStep extends AdamWSettings {
  /** 1 for the first update. */
  step: number;
}

const NORM_GROUPS = 256;

/** Decoupled weight decay as in PyTorch's AdamW. Clears the gradients; returns their norm before clipping as a tensor of one number. */
export function adamWStep(gpu: Gpu, buffers: AdamWBuffers, options: AdamWStep): tf.Tensor {
  const { count } = buffers;
  const groups = Math.min(NORM_GROUPS, Math.ceil(count / 64));
  const partial = gpu.empty([groups]);
  const norm = gpu.empty([1]);
  const params = [
    count, groups, f32(options.learningRate), f32(options.beta1), f32(options.beta2), f32(options.epsilon), f32(options.maxGradNorm),
    f32(1 - options.beta1), f32(1 - options.beta2), f32(1 - options.learningRate * options.weightDecay),
    f32(1 - options.beta1 ** options.step), f32(1 - options.beta2 ** options.step),
  ];
  const run = (entryPoint: string, x: number, y = 1) =>
    gpu.run(
      gpu.kernel({ name: `adamw_${entryPoint}`, wgsl: () => wgsl, access: ['write', 'write', 'write', 'write', 'write', 'write'], entryPoint }),
      [buffers.weights, buffers.gradients, buffers.m, buffers.v, partial, norm],
      params,
      [x, y],
    );
  run('squares', groups);
  run('finishNorm', 1);
  run('update', ...foldGroups(Math.ceil(count / 64)));
  partial.dispose();
  return norm;
}
