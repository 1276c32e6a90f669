/** The fixtures of the gated delta rule, packed as the kernels take them, and random packed samples. */
import { SafetensorsFile } from '../../src/checkpoint/safetensors.ts';
import type { DeltaShape } from '../../src/kernels/gated-delta.ts';
import { noise } from './open.ts';

interface CaseDescription {
  batch: number;
  length: number;
  heads: number;
  dk: number;
  dv: number;
  l2norm: boolean;
  initial_state: boolean;
}

export interface DeltaCase {
  shape: DeltaShape;
  lengths: number[];
  rows: number;
  qkv: Float32Array;
  g: Float32Array;
  beta: Float32Array;
  /** [samples, valueHeads · keyDim · valueDim] */
  initialStates?: Float32Array;
  dOutput: Float32Array;
  dFinalStates?: Float32Array;
}

export interface GoldenDeltaCase extends DeltaCase {
  /** False: q and k of the case are unit vectors already, and the gradients are those of a rule that does not normalise. */
  normalized: boolean;
  output: Float32Array;
  finalStates: Float32Array;
  dQkv: Float32Array;
  dG: Float32Array;
  dBeta: Float32Array;
  dInitialStates?: Float32Array;
}

export const deltaWidth = ({ keyHeads, valueHeads, keyDim, valueDim }: DeltaShape): number => 2 * keyHeads * keyDim + valueHeads * valueDim;

/** Matrices of the same number of rows side by side. */
export function sideBySide(rows: number, ...parts: Float32Array[]): Float32Array {
  const width = parts.reduce((sum, part) => sum + part.length / rows, 0);
  const joint = new Float32Array(rows * width);
  let offset = 0;
  for (const part of parts) {
    const size = part.length / rows;
    for (let row = 0; row < rows; row++) joint.set(part.subarray(row * size, (row + 1) * size), row * width + offset);
    offset += size;
  }
  return joint;
}

/** Fixture tensors by name, as floats. */
export async function readFixture(path: string): Promise<(name: string) => Promise<Float32Array>> {
  const response = await fetch(new URL(path, import.meta.url).href);
  const file = await SafetensorsFile.open(await response.blob(), path);
  return async (name) => new Float32Array((await file.readTensor(name)).bytes.buffer);
}

/** Every case of cases/delta_rule, a row of its batch as a sample. */
export async function goldenDeltaCases(): Promise<Map<string, GoldenDeltaCase>> {
  const description = (await (await fetch(new URL('../fixtures/qwen3_5/cases/delta_rule.json', import.meta.url).href)).json()) as { cases: Record<string, CaseDescription> };
  const read = await readFixture('../fixtures/qwen3_5/cases/delta_rule.safetensors');
  const cases = new Map<string, GoldenDeltaCase>();
  for (const [name, { batch, length, heads, dk, dv, l2norm, initial_state: stateful }] of Object.entries(description.cases)) {
    const of = (tensor: string) => read(`${name}/${tensor}`);
    const rows = batch * length;
    cases.set(name, {
      shape: { keyHeads: heads, valueHeads: heads, keyDim: dk, valueDim: dv },
      lengths: Array.from({ length: batch }, () => length),
      rows,
      normalized: l2norm,
      qkv: sideBySide(rows, await of('q'), await of('k'), await of('v')),
      g: await of('g'),
      beta: await of('beta'),
      initialStates: stateful ? await of('initial_state') : undefined,
      dOutput: await of('grad_out'),
      dFinalStates: stateful ? await of('grad_final_state') : undefined,
      output: await of('out'),
      finalStates: await of('final_state'),
      dQkv: sideBySide(rows, await of('grad/q'), await of('grad/k'), await of('grad/v')),
      dG: await of('grad/g'),
      dBeta: await of('grad/beta'),
      dInitialStates: stateful ? await of('grad/initial_state') : undefined,
    });
  }
  return cases;
}

/** Heads that hardly forget beside heads that forget within a few rows; `padding` rows after the samples. */
export function randomDeltaCase(shape: DeltaShape, lengths: number[], padding: number, stateful: boolean, seed: number): DeltaCase {
  const rows = lengths.reduce((sum, length) => sum + length, padding);
  const { valueHeads, keyDim, valueDim } = shape;
  const states = lengths.length * valueHeads * keyDim * valueDim;
  return {
    shape,
    lengths,
    rows,
    qkv: noise(rows * deltaWidth(shape), seed).map((value) => 2 * value),
    g: noise(rows * valueHeads, seed + 1).map((value, i) => -(10 ** (-3 + (3.3 * (i % valueHeads)) / Math.max(1, valueHeads - 1))) * (1.01 + value)),
    beta: noise(rows * valueHeads, seed + 2).map((value) => 1 / (1 + Math.exp(-4 * value))),
    initialStates: stateful ? noise(states, seed + 3) : undefined,
    dOutput: noise(rows * valueHeads * valueDim, seed + 4),
    dFinalStates: stateful ? noise(states, seed + 5) : undefined,
  };
}

export function maxAbsError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = actual.length === expected.length ? 0 : Infinity;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Number.isFinite(actual[i]) ? Math.abs(actual[i] - expected[i]) : Infinity);
  return largest;
}

/** |actual − expected| / |expected| in the Euclidean norm. */
export function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [actual.length === expected.length ? 0 : Infinity, 1e-24];
  for (let i = 0; i < expected.length; i++) {
    difference += Number.isFinite(actual[i]) ? (actual[i] - expected[i]) ** 2 : Infinity;
    size += expected[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
