/** Causal depthwise convolution without bias, then SiLU, over packed segments; with frozen weights. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import commonWgsl from './causal-conv.wgsl?raw';
import backwardWgsl from './causal-conv-backward.wgsl?raw';
import forwardWgsl from './causal-conv-forward.wgsl?raw';
import stepWgsl from './causal-conv-step.wgsl?raw';
import windowsWgsl from './causal-conv-windows.wgsl?raw';
import type { MatrixView } from './matmul.ts';

export interface CausalConv {
  /** [channels, taps], the last tap for a row's own input: `conv1d.weight` [channels, 1, taps] as stored */
  weight: GPUBuffer;
  channels: number;
  taps: number;
}

interface Constants {
  TAPS: number;
}

const INPUTS = { x: 'read array<f32>', weight: 'read array<f32>', bounds: 'read array<vec2<u32>>' } as const;
const X_VIEW = { channels: 'u32', xStride: 'u32', xOffset: 'u32' } as const;

const FORWARD = defineKernel({
  name: 'causal convolution forward',
  bindings: { ...INPUTS, y: 'write array<f32>' },
  params: { ...X_VIEW, rows: 'u32' },
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + forwardWgsl),
});

const BACKWARD = defineKernel({
  name: 'causal convolution backward',
  bindings: { ...INPUTS, dy: 'read array<f32>', dx: 'write array<f32>' },
  params: { ...X_VIEW, rows: 'u32', dxStride: 'u32', dxOffset: 'u32' },
  wgsl: (constants: Constants) => withConstants(constants, commonWgsl + backwardWgsl),
});

const WINDOWS = defineKernel({
  name: 'causal convolution windows',
  bindings: { x: 'read array<f32>', samples: 'read array<vec2<u32>>', windows: 'write array<f32>' },
  params: { ...X_VIEW, samples: 'u32' },
  wgsl: (constants: Constants) => withConstants(constants, windowsWgsl),
});

const STEP = defineKernel({
  name: 'causal convolution step',
  bindings: { x: 'read array<f32>', weight: 'read array<f32>', windows: 'write array<f32>', y: 'write array<f32>' },
  params: { ...X_VIEW, sequences: 'u32' },
  wgsl: (constants: Constants) => withConstants(constants, stepWgsl),
});

const groupsFor = (count: number) => foldGroups(Math.ceil(count / 64));

function paramsOf(x: MatrixView, { channels }: CausalConv) {
  return { channels, xStride: x.stride, xOffset: x.offset };
}

function constantsOf({ taps }: CausalConv): Constants {
  invariant(taps >= 2, `causal convolution: ${taps} taps; at least two are needed`);
  return { TAPS: taps };
}

/**
 * silu(Σ_j weight[c, j] · x[t − taps + 1 + j, c]); rows before t's segment count as zero.
 * @param x [rows, channels]
 * @param bounds int32 [rows, 2]: first and one-past-last row of each row's segment
 * @returns [rows, channels]
 */
export function causalConvForward(gpu: Gpu, x: MatrixView, conv: CausalConv, bounds: tf.Tensor): tf.Tensor {
  const rows = bounds.shape[0];
  const y = gpu.empty([rows, conv.channels]);
  gpu.run(FORWARD, { constants: constantsOf(conv), bindings: { x: x.data, weight: conv.weight, bounds, y }, params: { ...paramsOf(x, conv), rows }, groups: groupsFor(y.size) });
  return y;
}

/** Gradient with respect to x, written to `dx` [rows, channels]; it needs nothing of forward but x. */
export function causalConvBackward(gpu: Gpu, x: MatrixView, conv: CausalConv, bounds: tf.Tensor, dy: tf.Tensor, dx: MatrixView): void {
  const rows = bounds.shape[0];
  gpu.run(BACKWARD, {
    constants: constantsOf(conv),
    bindings: { x: x.data, weight: conv.weight, bounds, dy, dx: dx.data },
    params: { ...paramsOf(x, conv), rows, dxStride: dx.stride, dxOffset: dx.offset },
    groups: groupsFor(rows * conv.channels),
  });
}

/**
 * What generation goes on from: the last taps − 1 inputs of every sample, zeros before its start.
 * @param samples int32 [samples, 2]: first and one-past-last row
 * @returns [samples, (taps − 1) · channels], oldest input first; `gatherRows` forks and selects
 */
export function causalConvWindows(gpu: Gpu, x: MatrixView, conv: CausalConv, samples: tf.Tensor): tf.Tensor {
  const count = samples.shape[0];
  const windows = gpu.empty([count, (conv.taps - 1) * conv.channels]);
  gpu.run(WINDOWS, { constants: constantsOf(conv), bindings: { x: x.data, samples, windows }, params: { ...paramsOf(x, conv), samples: count }, groups: groupsFor(windows.size) });
  return windows;
}

/**
 * One new input per sequence; moves `windows` [sequences, (taps − 1) · channels] on by it.
 * @param x [sequences, channels]
 * @returns [sequences, channels]
 */
export function causalConvStep(gpu: Gpu, x: MatrixView, conv: CausalConv, windows: tf.Tensor): tf.Tensor {
  const sequences = windows.shape[0];
  const y = gpu.empty([sequences, conv.channels]);
  gpu.run(STEP, { constants: constantsOf(conv), bindings: { x: x.data, weight: conv.weight, windows, y }, params: { ...paramsOf(x, conv), sequences }, groups: groupsFor(y.size) });
  return y;
}
