/**
 * Gated delta rule (Yang et al. 2024, arXiv 2412.06464) over packed samples, in chunks: WY form, as in `qwen3_next` and `qwen3_5`
 * linear attention with l2-normalised queries and keys. Formulas at the head of gated-delta.wgsl.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import { DELTA_CHUNK, type DeltaBatch } from './delta-batch.ts';
import commonWgsl from './gated-delta.wgsl?raw';
import mixingWgsl from './gated-delta-mixing.wgsl?raw';
import outputWgsl from './gated-delta-output.wgsl?raw';
import scanWgsl from './gated-delta-scan.wgsl?raw';
import scoresWgsl from './gated-delta-scores.wgsl?raw';
import statesWgsl from './gated-delta-states.wgsl?raw';

/** Query/key head h serves value heads h · group … (h + 1) · group − 1, group = valueHeads / keyHeads. */
export interface DeltaShape {
  keyHeads: number;
  valueHeads: number;
  keyDim: number;
  valueDim: number;
}

export interface DeltaInputs {
  /** [rows, 2 · keyHeads · keyDim + valueHeads · valueDim]: queries, keys (before l2 normalisation), values */
  qkv: tf.Tensor;
  /** [rows, valueHeads]: log of the decay, at most 0 */
  g: tf.Tensor;
  /** [rows, valueHeads]: in [0, 1] */
  beta: tf.Tensor;
}

export interface DeltaResult {
  /** [rows, valueHeads · valueDim] */
  output: tf.Tensor;
  /** [samples, valueHeads · keyDim · valueDim], when asked for */
  finalStates: tf.Tensor | null;
}

/** Row scalars and X; see gated-delta-mixing.wgsl. */
export interface DeltaMixing {
  scalars: tf.Tensor;
  mixing: tf.Tensor;
}

export const deltaStateSize = ({ valueHeads, keyDim, valueDim }: DeltaShape): number => valueHeads * keyDim * valueDim;

/** Columns a scanning workgroup holds, in fours: state, rows and scalars stay under 16 KiB of workgroup memory. */
export const scanQuads = ({ keyDim }: DeltaShape): number => (keyDim <= 128 ? 4 : 2);

export interface DeltaConstants {
  DK: number;
  DV: number;
  KEY_HEADS: number;
  VALUE_HEADS: number;
  GROUP: number;
  CHUNK: number;
  QUADS: number;
}

/** The text of one part of the rule behind what all parts share. */
export const deltaWgsl =
  (...parts: string[]) =>
  (constants: DeltaConstants): string =>
    withConstants(constants, commonWgsl + parts.join(''));

/** Row after row and chunk after chunk; what the tables and the row scalars hold stands in delta-batch.ts and gated-delta-mixing.wgsl. */
export const DELTA_ROWS = { qkv: 'read array<vec4<f32>>', tables: 'read array<vec4<i32>>', scalars: 'read array<vec4<f32>>' } as const;

/** A key's length in fours: not a constant, or compilers unroll the longest loops and run out of registers. */
export const DELTA_PARAMS = { keyFours: 'u32' } as const;
export const deltaParams = ({ keyDim }: DeltaShape) => ({ keyFours: keyDim / 4 });

const MIXING = defineKernel({
  name: 'gated delta mixing',
  bindings: {
    qkv: DELTA_ROWS.qkv, tables: DELTA_ROWS.tables, g: 'read array<f32>', beta: 'read array<f32>',
    scalars: 'write array<vec4<f32>>', mixing: 'write array<f32>',
  },
  params: DELTA_PARAMS,
  wgsl: deltaWgsl(mixingWgsl),
});

const SCAN = defineKernel({
  name: 'gated delta scan',
  bindings: { ...DELTA_ROWS, mixing: 'read array<vec4<f32>>', errors: 'write array<vec4<f32>>', states: 'write array<vec4<f32>>', finals: 'write? array<vec4<f32>>' },
  params: { ...DELTA_PARAMS, chunks: 'u32', slots: 'u32', tail: 'flag', stateful: 'flag' },
  wgsl: deltaWgsl(statesWgsl, scanWgsl),
});

const OUTPUT = defineKernel({
  name: 'gated delta output',
  bindings: { ...DELTA_ROWS, errors: 'read array<vec4<f32>>', states: 'read array<vec4<f32>>', output: 'write array<vec4<f32>>' },
  params: { ...DELTA_PARAMS, slots: 'u32', tail: 'flag' },
  wgsl: deltaWgsl(statesWgsl, scoresWgsl, outputWgsl),
});

export function deltaConstants(shape: DeltaShape): DeltaConstants {
  const { keyHeads, valueHeads, keyDim, valueDim } = shape;
  return { DK: keyDim, DV: valueDim, KEY_HEADS: keyHeads, VALUE_HEADS: valueHeads, GROUP: valueHeads / keyHeads, CHUNK: DELTA_CHUNK, QUADS: scanQuads(shape) };
}

export function checkDelta({ qkv, g, beta }: DeltaInputs, { rows }: DeltaBatch, { keyHeads, valueHeads, keyDim, valueDim }: DeltaShape): void {
  invariant(keyDim % 4 === 0 && valueDim % 4 === 0 && keyDim <= 256, `delta rule: head dimensions ${keyDim} and ${valueDim} must be multiples of 4, the first at most 256`);
  invariant(valueHeads % keyHeads === 0, `delta rule: ${valueHeads} value heads cannot share ${keyHeads} key heads`);
  const width = 2 * keyHeads * keyDim + valueHeads * valueDim;
  invariant(qkv.size === rows * width, `delta rule: qkv of shape [${qkv.shape}] is not [${rows}, ${width}]`);
  for (const gate of [g, beta]) invariant(gate.size === rows * valueHeads, `delta rule: a gate of shape [${gate.shape}] is not [${rows}, ${valueHeads}]`);
}

/** States between chunks, uninitialised, and `tail` at the samples' ends behind them. */
export function chunkStates(gpu: Gpu, batch: DeltaBatch, shape: DeltaShape, tail: tf.Tensor | undefined): tf.Tensor {
  const size = deltaStateSize(shape);
  invariant(!tail || tail.size === batch.samples * size, `delta rule: states of shape [${tail?.shape}] are not [${batch.samples}, ${size}]`);
  const states = gpu.empty([batch.slots + (tail ? batch.samples : 0) || 1, size]);
  if (tail) gpu.copy(tail, 0, states, batch.slots * size * 4, tail.size * 4);
  return states;
}

/** Everything about a chunk that does not depend on the state before it. */
export function deltaMixing(gpu: Gpu, { qkv, g, beta }: DeltaInputs, batch: DeltaBatch, shape: DeltaShape): DeltaMixing {
  const scalars = gpu.empty([batch.rows, shape.valueHeads, 4]);
  const mixing = gpu.empty([batch.rows, shape.valueHeads, DELTA_CHUNK]);
  gpu.run(MIXING, { constants: deltaConstants(shape), bindings: { qkv, tables: batch.tables, g, beta, scalars, mixing }, params: deltaParams(shape), groups: [batch.chunks, shape.valueHeads] });
  return { scalars, mixing };
}

/** Errors [rows, valueHeads · valueDim], states between chunks, and the final ones where `wantFinal`. */
export function deltaScan(gpu: Gpu, { qkv }: DeltaInputs, { scalars, mixing }: DeltaMixing, batch: DeltaBatch, shape: DeltaShape, initialStates: tf.Tensor | undefined, wantFinal: boolean) {
  const { valueHeads, valueDim } = shape;
  const errors = gpu.empty([batch.rows, valueHeads * valueDim]);
  const states = chunkStates(gpu, batch, shape, initialStates);
  const finalStates = wantFinal ? gpu.empty([batch.samples, deltaStateSize(shape)]) : null;
  gpu.run(SCAN, {
    constants: deltaConstants(shape),
    bindings: { qkv, tables: batch.tables, scalars, mixing, errors, states, finals: finalStates ?? undefined },
    params: { ...deltaParams(shape), chunks: batch.chunks, slots: batch.slots, tail: initialStates !== undefined, stateful: wantFinal },
    groups: [Math.ceil(valueDim / (4 * scanQuads(shape))), valueHeads, batch.segments],
  });
  return { errors, states, finalStates };
}

/**
 * Outputs of the rule, each sample from its own state: zero, or its row of `initialStates` [samples, valueHeads · keyDim · valueDim].
 * Nothing is kept for backward, which starts from the same inputs. While it runs: 36 + valueDim floats per row and value head, and a state
 * per chunk but the first of each sample.
 */
export function gatedDeltaForward(gpu: Gpu, inputs: DeltaInputs, batch: DeltaBatch, shape: DeltaShape, options: { initialStates?: tf.Tensor; finalStates?: boolean } = {}): DeltaResult {
  checkDelta(inputs, batch, shape);
  const { initialStates } = options;
  const mixed = deltaMixing(gpu, inputs, batch, shape);
  const { errors, states, finalStates } = deltaScan(gpu, inputs, mixed, batch, shape, initialStates, options.finalStates ?? false);
  const output = gpu.empty([batch.rows, shape.valueHeads * shape.valueDim]);
  gpu.run(OUTPUT, {
    constants: deltaConstants(shape),
    bindings: { qkv: inputs.qkv, tables: batch.tables, scalars: mixed.scalars, errors, states, output },
    params: { ...deltaParams(shape), slots: batch.slots, tail: initialStates !== undefined },
    groups: [batch.chunks, shape.valueHeads],
  });
  for (const tensor of [mixed.scalars, mixed.mixing, errors, states]) tensor.dispose();
  return { output, finalStates };
}
