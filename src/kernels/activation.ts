/** SwiGLU and both forms of GELU. */
import type * as tf from '@tensorflow/tfjs';
import { foldGroups, type Binding, type Gpu } from '../gpu/gpu.ts';
import wgsl from './activation.wgsl?raw';

export type GeluKind = 'geluTanh' | 'geluExact';

function launch(gpu: Gpu, entryPoint: string, shape: number[], count: number, a: Binding, b: Binding, dy: Binding, outputs: 1 | 2): tf.Tensor[] {
  const kernel = gpu.kernel({ name: `activation_${entryPoint}`, wgsl: () => wgsl, access: ['read', 'read', 'read', 'write', 'write'], entryPoint });
  const out0 = gpu.empty(shape);
  const out1 = outputs === 2 ? gpu.empty(shape) : null;
  gpu.run(kernel, [a, b, dy, out0, out1 ?? gpu.unusedOutput], [count], foldGroups(Math.ceil(count / 64)));
  return out1 ? [out0, out1] : [out0];
}

/** silu(gate) · up */
export function swigluForward(gpu: Gpu, gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  return launch(gpu, 'swigluForward', gate.shape, gate.size, gate, up, gpu.unusedBuffer, 1)[0];
}

/** Gradients of gate and up. */
export function swigluBackward(gpu: Gpu, gate: tf.Tensor, up: tf.Tensor, dy: tf.Tensor): { dGate: tf.Tensor; dUp: tf.Tensor } {
  const [dGate, dUp] = launch(gpu, 'swigluBackward', gate.shape, gate.size, gate, up, dy, 2);
  return { dGate, dUp };
}

/** GELU, by tanh approximation or by erf. */
export function geluForward(gpu: Gpu, kind: GeluKind, x: tf.Tensor): tf.Tensor {
  return launch(gpu, `${kind}Forward`, x.shape, x.size, x, gpu.unusedBuffer, gpu.unusedBuffer, 1)[0];
}

export function geluBackward(gpu: Gpu, kind: GeluKind, x: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  return launch(gpu, `${kind}Backward`, x.shape, x.size, x, gpu.unusedBuffer, dy, 1)[0];
}
