/** Decay and write strength of the gated delta rule from their projections, with frozen parameters. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel } from '../gpu/kernel.ts';
import backwardWgsl from './delta-gates-backward.wgsl?raw';
import forwardWgsl from './delta-gates-forward.wgsl?raw';
import type { MatrixView } from './matmul.ts';

/** Per value head. Both stay float32: rounding A_log to bf16 already shows in the logits. */
export interface DeltaGateWeights {
  aLog: GPUBuffer;
  dtBias: GPUBuffer;
  heads: number;
}

/** [rows, heads] each. */
export interface DeltaGates {
  g: tf.Tensor;
  beta: tf.Tensor;
}

const VIEWS = { rows: 'u32', heads: 'u32', aStride: 'u32', aOffset: 'u32', bStride: 'u32', bOffset: 'u32' } as const;

const FORWARD = defineKernel({
  name: 'delta gates forward',
  bindings: { a: 'read array<f32>', b: 'read array<f32>', aLog: 'read array<f32>', dtBias: 'read array<f32>', g: 'write array<f32>', beta: 'write array<f32>' },
  params: VIEWS,
  wgsl: () => forwardWgsl,
});

const BACKWARD = defineKernel({
  name: 'delta gates backward',
  bindings: {
    a: 'read array<f32>', b: 'read array<f32>', aLog: 'read array<f32>', dtBias: 'read array<f32>',
    dG: 'read array<f32>', dBeta: 'read array<f32>', da: 'write array<f32>', db: 'write array<f32>',
  },
  params: { ...VIEWS, daStride: 'u32', daOffset: 'u32', dbStride: 'u32', dbOffset: 'u32' },
  wgsl: () => backwardWgsl,
});

const viewsOf = (a: MatrixView, b: MatrixView, rows: number, heads: number) => ({ rows, heads, aStride: a.stride, aOffset: a.offset, bStride: b.stride, bOffset: b.offset });

/**
 * g = −exp(aLog) · softplus(a + dtBias), the log of the decay; beta = sigmoid(b).
 * @param a [rows, heads]
 * @param b [rows, heads]
 */
export function deltaGatesForward(gpu: Gpu, a: MatrixView, b: MatrixView, rows: number, { aLog, dtBias, heads }: DeltaGateWeights): DeltaGates {
  const [g, beta] = [gpu.empty([rows, heads]), gpu.empty([rows, heads])];
  gpu.run(FORWARD, { bindings: { a: a.data, b: b.data, aLog, dtBias, g, beta }, params: viewsOf(a, b, rows, heads), groups: [Math.ceil((rows * heads) / 64)] });
  return { g, beta };
}

/**
 * Gradients of a and b, written to `da` and `db` [rows, heads], which lie in two buffers.
 * @param upstream gradients of g and beta
 */
export function deltaGatesBackward(gpu: Gpu, a: MatrixView, b: MatrixView, rows: number, { aLog, dtBias, heads }: DeltaGateWeights, upstream: DeltaGates, da: MatrixView, db: MatrixView): void {
  gpu.run(BACKWARD, {
    bindings: { a: a.data, b: b.data, aLog, dtBias, dG: upstream.g, dBeta: upstream.beta, da: da.data, db: db.data },
    params: { ...viewsOf(a, b, rows, heads), daStride: da.stride, daOffset: da.offset, dbStride: db.stride, dbOffset: db.offset },
    groups: [Math.ceil((rows * heads) / 64)],
  });
}
