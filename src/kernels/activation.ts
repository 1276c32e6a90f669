/** SwiGLU and three forms of GELU. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { foldGroups } from '../gpu/grid.ts';
import { defineKernel } from '../gpu/kernel.ts';
import functions from './activation.wgsl?raw';

/** By tanh approximation, by erf, or as x · sigmoid(1.702 x). */
export type GeluKind = 'geluTanh' | 'geluExact' | 'geluQuick';

const THREADS = 64;
const groupsFor = (count: number) => foldGroups(Math.ceil(count / THREADS));

/** Runs statements for every index i below `count`. */
const elementwise = (statements: string): string => `${functions}
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x + id.y * 65535u * ${THREADS}u;
  if (i >= params.count) { return; }
  ${statements}
}`;

const SWIGLU = defineKernel({
  name: 'SwiGLU forward',
  bindings: { gate: 'read array<f32>', up: 'read array<f32>', y: 'write array<f32>' },
  params: { count: 'u32' },
  wgsl: () => elementwise('y[i] = gate[i] * sigmoid(gate[i]) * up[i];'),
});

const SWIGLU_BACKWARD = defineKernel({
  name: 'SwiGLU backward',
  bindings: { gate: 'read array<f32>', up: 'read array<f32>', dy: 'read array<f32>', dGate: 'write array<f32>', dUp: 'write array<f32>' },
  params: { count: 'u32' },
  wgsl: () =>
    elementwise(`let s = sigmoid(gate[i]);
  dGate[i] = dy[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
  dUp[i] = dy[i] * gate[i] * s;`),
});

const GELU = defineKernel({
  name: 'GELU forward',
  bindings: { x: 'read array<f32>', y: 'write array<f32>' },
  params: { count: 'u32' },
  wgsl: ({ kind }: { kind: GeluKind }) => elementwise(`y[i] = ${kind}(x[i]);`),
});

const GELU_BACKWARD = defineKernel({
  name: 'GELU backward',
  bindings: { x: 'read array<f32>', dy: 'read array<f32>', dx: 'write array<f32>' },
  params: { count: 'u32' },
  wgsl: ({ kind }: { kind: GeluKind }) => elementwise(`dx[i] = dy[i] * ${kind}Slope(x[i]);`),
});

/** silu(gate) · up */
export function swigluForward(gpu: Gpu, gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  const y = gpu.empty(gate.shape);
  gpu.run(SWIGLU, { bindings: { gate, up, y }, params: { count: gate.size }, groups: groupsFor(gate.size) });
  return y;
}

/** Gradients of gate and up. */
export function swigluBackward(gpu: Gpu, gate: tf.Tensor, up: tf.Tensor, dy: tf.Tensor): { dGate: tf.Tensor; dUp: tf.Tensor } {
  const [dGate, dUp] = [gpu.empty(gate.shape), gpu.empty(gate.shape)];
  gpu.run(SWIGLU_BACKWARD, { bindings: { gate, up, dy, dGate, dUp }, params: { count: gate.size }, groups: groupsFor(gate.size) });
  return { dGate, dUp };
}

export function geluForward(gpu: Gpu, kind: GeluKind, x: tf.Tensor): tf.Tensor {
  const y = gpu.empty(x.shape);
  gpu.run(GELU, { constants: { kind }, bindings: { x, y }, params: { count: x.size }, groups: groupsFor(x.size) });
  return y;
}

/** Gradient of geluForward's input. */
export function geluBackward(gpu: Gpu, kind: GeluKind, x: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const dx = gpu.empty(x.shape);
  gpu.run(GELU_BACKWARD, { constants: { kind }, bindings: { x, dy, dx }, params: { count: x.size }, groups: groupsFor(x.size) });
  return dx;
}
