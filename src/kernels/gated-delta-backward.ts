/** Backward of the gated delta rule; formulas at the heads of gated-delta.wgsl and gated-delta-backward.wgsl. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel } from '../gpu/kernel.ts';
import type { DeltaBatch } from './delta-batch.ts';
import commonWgsl from './gated-delta-backward.wgsl?raw';
import chunkWgsl from './gated-delta-backward-chunk.wgsl?raw';
import localWgsl from './gated-delta-backward-local.wgsl?raw';
import scanWgsl from './gated-delta-backward-scan.wgsl?raw';
import unitWgsl from './gated-delta-backward-unit.wgsl?raw';
import scoresWgsl from './gated-delta-scores.wgsl?raw';
import statesWgsl from './gated-delta-states.wgsl?raw';
import { checkDelta, chunkStates, DELTA_PARAMS, DELTA_ROWS, deltaConstants, deltaMixing, deltaParams, deltaScan, deltaStateSize, deltaWgsl, scanQuads, type DeltaInputs, type DeltaShape } from './gated-delta.ts';

export interface DeltaGradients {
  /** In the layout of qkv. */
  dQkv: tf.Tensor;
  /** [rows, valueHeads] */
  dG: tf.Tensor;
  dBeta: tf.Tensor;
  /** [samples, valueHeads · keyDim · valueDim], where initial states were given */
  dInitialStates: tf.Tensor | null;
}

const VECTORS = 'read array<vec4<f32>>' as const;

const LOCAL = defineKernel({
  name: 'gated delta backward local',
  bindings: { ...DELTA_ROWS, errors: VECTORS, dOutput: VECTORS, pairs: 'write array<vec4<f32>>' },
  params: DELTA_PARAMS,
  wgsl: deltaWgsl(commonWgsl, scoresWgsl, localWgsl),
});

const SCAN = defineKernel({
  name: 'gated delta backward scan',
  bindings: {
    ...DELTA_ROWS, mixing: 'read array<vec2<f32>>', dOutput: VECTORS,
    pairs: 'write array<vec4<f32>>', dStates: 'write array<vec4<f32>>', dInitial: 'write? array<vec4<f32>>',
  },
  params: { ...DELTA_PARAMS, chunks: 'u32', slots: 'u32', tail: 'flag', stateful: 'flag' },
  wgsl: deltaWgsl(commonWgsl, statesWgsl, scanWgsl),
});

const CHUNK = defineKernel({
  name: 'gated delta backward chunk',
  bindings: { ...DELTA_ROWS, dOutput: VECTORS, pairs: VECTORS, states: VECTORS, dStates: VECTORS, partials: 'write array<vec4<f32>>' },
  params: { slots: 'u32', tail: 'flag', dTail: 'flag' },
  wgsl: deltaWgsl(commonWgsl, statesWgsl, chunkWgsl),
});

const UNIT = defineKernel({
  name: 'gated delta backward unit',
  bindings: { qkv: VECTORS, scalars: VECTORS, pairs: VECTORS, partials: VECTORS, dQkv: 'write array<vec4<f32>>', dG: 'write array<f32>', dBeta: 'write array<f32>' },
  params: {},
  wgsl: deltaWgsl(commonWgsl, unitWgsl),
});

/**
 * Gradients of Σ output · dOutput + Σ finalStates · dFinalStates for the inputs of `gatedDeltaForward`; states and errors are computed again.
 * While it runs: 40 + 2 · keyDim + 3 · valueDim floats per row and value head, and two states per chunk but the first of each sample.
 * @param dOutput [rows, valueHeads · valueDim]
 */
export function gatedDeltaBackward(gpu: Gpu, inputs: DeltaInputs, batch: DeltaBatch, shape: DeltaShape, dOutput: tf.Tensor, options: { initialStates?: tf.Tensor; dFinalStates?: tf.Tensor } = {}): DeltaGradients {
  checkDelta(inputs, batch, shape);
  const { qkv } = inputs;
  const { rows, tables, chunks, slots } = batch;
  const { keyHeads, valueHeads, keyDim, valueDim } = shape;
  const { initialStates, dFinalStates } = options;
  const constants = deltaConstants(shape);
  const mixed = deltaMixing(gpu, inputs, batch, shape);
  const { scalars, mixing } = mixed;
  const { errors, states } = deltaScan(gpu, inputs, mixed, batch, shape, initialStates, false);

  const pairs = gpu.empty([rows, valueHeads, 2 * valueDim]);
  gpu.run(LOCAL, { constants, bindings: { qkv, tables, scalars, errors, dOutput, pairs }, params: deltaParams(shape), groups: [chunks, valueHeads] });

  const dStates = chunkStates(gpu, batch, shape, dFinalStates);
  const dInitialStates = initialStates ? gpu.empty([batch.samples, deltaStateSize(shape)]) : null;
  gpu.run(SCAN, {
    constants,
    bindings: { qkv, tables, scalars, mixing, dOutput, pairs, dStates, dInitial: dInitialStates ?? undefined },
    params: { ...deltaParams(shape), chunks, slots, tail: dFinalStates !== undefined, stateful: initialStates !== undefined },
    groups: [Math.ceil(valueDim / (4 * scanQuads(shape))), valueHeads, batch.segments],
  });

  const partials = gpu.empty([rows, valueHeads, 2 * keyDim + 4]);
  gpu.run(CHUNK, {
    constants,
    bindings: { qkv, tables, scalars, dOutput, pairs, states, dStates, partials },
    params: { slots, tail: initialStates !== undefined, dTail: dFinalStates !== undefined },
    groups: [chunks, valueHeads],
  });

  const dQkv = gpu.empty(qkv.shape);
  const [dG, dBeta] = [gpu.empty([rows, valueHeads]), gpu.empty([rows, valueHeads])];
  gpu.run(UNIT, { constants, bindings: { qkv, scalars, pairs, partials, dQkv, dG, dBeta }, params: {}, groups: [rows, keyHeads] });
  for (const tensor of [scalars, mixing, errors, states, pairs, dStates, partials]) tensor.dispose();
  return { dQkv, dG, dBeta, dInitialStates };
}
