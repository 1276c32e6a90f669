/** Rotary position embedding, whole or of a head's first dimensions only, with a per-head RMSNorm in front where the model has one. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import { checkSameLayout, type HeadView } from './head-view.ts';
import { viewOf, type MatrixView } from './matmul.ts';
import wgsl from './rotary.wgsl?raw';
import backwardWgsl from './rotary-backward.wgsl?raw';
import forwardWgsl from './rotary-forward.wgsl?raw';

/** cos and sin tables [rows, rotaryDim / 2]; rotaryDim is at most the head dimension. */
export interface RotaryTables {
  cos: tf.Tensor;
  sin: tf.Tensor;
}

export interface HeadNorm {
  /** headDim values */
  weight: GPUBuffer;
  eps: number;
}

const INPUTS = { x: 'read array<f32>', weight: 'read? array<f32>', cosines: 'read array<f32>', sines: 'read array<f32>' } as const;
const PARAMS = { rows: 'u32', heads: 'u32', xStride: 'u32', xOffset: 'u32', xHeadStride: 'u32', rotatedStride: 'u32', rotatedOffset: 'u32', eps: 'f32' } as const;

interface Constants {
  D: number;
  ROTARY: number;
  NORM: boolean;
  THREADS: number;
  LANES: number;
}

/** Sum of a value over the threads of a head. A thread that has a head for itself meets no barrier. */
function overHead({ THREADS, LANES }: Constants): string {
  if (LANES === 1) return 'fn overHead(own: f32, lid: u32) -> f32 { return own; }\n';
  return `var<workgroup> shares: array<f32, ${THREADS}>;
fn overHead(own: f32, lid: u32) -> f32 {
  workgroupBarrier();
  shares[lid] = own;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < ${LANES}u; i++) { sum += shares[lid / ${LANES}u * ${LANES}u + i]; }
  return sum;
}
`;
}

const moduleOf = (main: string) => (constants: Constants) => withConstants(constants, overHead(constants) + wgsl + main);

const FORWARD = defineKernel({
  name: 'rotary forward',
  bindings: { ...INPUTS, y: 'write array<f32>' },
  params: PARAMS,
  wgsl: moduleOf(forwardWgsl),
});

const BACKWARD = defineKernel({
  name: 'rotary backward',
  bindings: { ...INPUTS, dy: 'read array<f32>', dx: 'write array<f32>' },
  params: PARAMS,
  wgsl: moduleOf(backwardWgsl),
});

/** What both directions share. */
function launchOf(gpu: Gpu, x: HeadView, rows: number, heads: number, headDim: number, tables: RotaryTables, norm: HeadNorm | null, rotated: MatrixView) {
  const rotaryDim = 2 * tables.cos.shape[1]!;
  invariant(headDim % 2 === 0 && rotaryDim > 0 && rotaryDim <= headDim, `rotary: ${rotaryDim} dimensions of a head of ${headDim}`);
  const constants: Constants = { D: headDim, ROTARY: rotaryDim, NORM: norm !== null, ...gpu.shape.rotary };
  return {
    constants,
    bindings: { x: x.data, weight: norm?.weight, cosines: tables.cos, sines: tables.sin },
    params: {
      rows, heads,
      xStride: x.stride, xOffset: x.offset, xHeadStride: x.headStride ?? headDim,
      rotatedStride: rotated.stride, rotatedOffset: rotated.offset,
      eps: norm?.eps ?? 0,
    },
    groups: foldGroups(Math.ceil((rows * heads * constants.LANES) / constants.THREADS)),
  };
}

/** Heads of x, normalised and rotated: [rows, heads · headDim]. */
export function rotaryForward(gpu: Gpu, x: HeadView, rows: number, heads: number, headDim: number, tables: RotaryTables, norm: HeadNorm | null): tf.Tensor {
  const y = gpu.empty([rows, heads * headDim]);
  const { bindings, ...launch } = launchOf(gpu, x, rows, heads, headDim, tables, norm, viewOf(y));
  gpu.run(FORWARD, { bindings: { y, ...bindings }, ...launch });
  return y;
}

/** Gradient with respect to x, written into `dx`, which has x's strides and offset; what lies between its heads stays as it was. */
export function rotaryBackward(gpu: Gpu, x: HeadView, rows: number, heads: number, headDim: number, tables: RotaryTables, norm: HeadNorm | null, dy: MatrixView, dx: HeadView): void {
  checkSameLayout('rotary backward', x, dx, headDim);
  const { bindings, ...launch } = launchOf(gpu, x, rows, heads, headDim, tables, norm, dy);
  gpu.run(BACKWARD, { bindings: { dy: dy.data, dx: dx.data, ...bindings }, ...launch });
}
