/** The gated delta rule for generation: one new token per sequence. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import { deltaStateSize, type DeltaInputs, type DeltaShape } from './gated-delta.ts';
import wgsl from './gated-delta-step.wgsl?raw';

interface Constants {
  DK: number;
  DV: number;
  KEY_HEADS: number;
  VALUE_HEADS: number;
  GROUP: number;
  COLUMNS: number;
  LANES: number;
}

const STEP = defineKernel({
  name: 'gated delta step',
  bindings: { qkv: 'read array<f32>', g: 'read array<f32>', beta: 'read array<f32>', states: 'write array<f32>', output: 'write array<f32>' },
  params: {},
  wgsl: (constants: Constants) => withConstants(constants, wgsl),
});

/**
 * Advances `states` [sequences, valueHeads · keyDim · valueDim] in place. States are rows of a matrix: `gatherRows` forks a prompt's state
 * into those of its completions and keeps the states of the sequences that go on.
 * @param inputs one row per sequence
 * @returns [sequences, valueHeads · valueDim]
 */
export function gatedDeltaStep(gpu: Gpu, { qkv, g, beta }: DeltaInputs, states: tf.Tensor, shape: DeltaShape): tf.Tensor {
  const { keyHeads, valueHeads, keyDim, valueDim } = shape;
  const sequences = states.shape[0];
  const width = 2 * keyHeads * keyDim + valueHeads * valueDim;
  invariant(states.size === sequences * deltaStateSize(shape), `delta rule: states of shape [${states.shape}] are not [${sequences}, ${deltaStateSize(shape)}]`);
  invariant(qkv.size === sequences * width, `delta rule: qkv of shape [${qkv.shape}] is not [${sequences}, ${width}]`);
  const output = gpu.empty([sequences, valueHeads * valueDim]);
  gpu.run(STEP, {
    constants: { DK: keyDim, DV: valueDim, KEY_HEADS: keyHeads, VALUE_HEADS: valueHeads, GROUP: valueHeads / keyHeads, ...gpu.shape.state },
    bindings: { qkv, g, beta, states, output },
    params: {},
    groups: [Math.ceil(valueDim / gpu.shape.state.COLUMNS), valueHeads, sequences],
  });
  return output;
}
