/** Sigmoid gate on the output of attention, as in Qwen3.5: the query projection gives a gate beside each head's query. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import { checkSameLayout, type HeadView } from './head-view.ts';
import commonWgsl from './output-gate.wgsl?raw';

const PARAMS = { count: 'u32', heads: 'u32', stride: 'u32', offset: 'u32', headStride: 'u32' } as const;

/** Runs statements for every value i of the attention and its gate at g. */
const elementwise = (constants: { D: number }, statements: string) =>
  withConstants(
    constants,
    `${commonWgsl}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = indexOf(id);
  if (i >= params.count) { return; }
  let g = gateAt(i);
  ${statements}
}`,
  );

const FORWARD = defineKernel({
  name: 'output gate forward',
  bindings: { attention: 'read array<f32>', gate: 'read array<f32>', y: 'write array<f32>' },
  params: PARAMS,
  wgsl: (constants: { D: number }) => elementwise(constants, 'y[i] = attention[i] * sigmoid(gate[g]);'),
});

const BACKWARD = defineKernel({
  name: 'output gate backward',
  bindings: {
    attention: 'read array<f32>', gate: 'read array<f32>', dy: 'read array<f32>',
    dAttention: 'write array<f32>', dGate: 'write array<f32>',
  },
  params: PARAMS,
  wgsl: (constants: { D: number }) =>
    elementwise(
      constants,
      `let s = sigmoid(gate[g]);
  dAttention[i] = dy[i] * s;
  dGate[g] = dy[i] * attention[i] * s * (1.0 - s);`,
    ),
});

/** What both directions share. */
function launchOf(attention: tf.Tensor, gate: HeadView, headDim: number) {
  const heads = attention.shape[1]! / headDim;
  invariant(Number.isInteger(heads), `output gate: ${attention.shape[1]} columns are no heads of ${headDim}`);
  return {
    constants: { D: headDim },
    params: { count: attention.size, heads, stride: gate.stride, offset: gate.offset, headStride: gate.headStride ?? headDim },
    groups: foldGroups(Math.ceil(attention.size / 64)),
  };
}

/**
 * attention · sigmoid(gate)
 * @param attention [rows, heads · headDim]
 * @param gate of the same rows and heads
 * @returns [rows, heads · headDim]
 */
export function outputGateForward(gpu: Gpu, attention: tf.Tensor, gate: HeadView, headDim: number): tf.Tensor {
  const y = gpu.empty(attention.shape);
  gpu.run(FORWARD, { bindings: { attention, gate: gate.data, y }, ...launchOf(attention, gate, headDim) });
  return y;
}

/** Gradient of attention; that of the gate is written into `dGate`, which has the gate's strides and offset. */
export function outputGateBackward(gpu: Gpu, attention: tf.Tensor, gate: HeadView, headDim: number, dy: tf.Tensor, dGate: HeadView): tf.Tensor {
  checkSameLayout('output gate backward', gate, dGate, headDim);
  const dAttention = gpu.empty(attention.shape);
  gpu.run(BACKWARD, { bindings: { attention, gate: gate.data, dy, dAttention, dGate: dGate.data }, ...launchOf(attention, gate, headDim) });
  return dAttention;
}
