import { beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../src/gpu/gpu.ts';
import { planDeltaBatch } from '../../src/kernels/delta-batch.ts';
import { gatedDeltaStep } from '../../src/kernels/gated-delta-step.ts';
import { gatedDeltaForward, deltaStateSize, type DeltaShape } from '../../src/kernels/gated-delta.ts';
import { gatherRows } from '../../src/kernels/rows.ts';
import { plainGatedDelta } from '../reference/gated-delta.ts';
import { deltaWidth, goldenDeltaCases, maxAbsError, randomDeltaCase, type DeltaCase, type GoldenDeltaCase } from './delta-cases.ts';
import { useGpu } from './open.ts';

/** Outputs and states of size 1; other float32 forms are within 1e-6 of the fixtures. */
const TOLERANCE = 1e-5;
const gpuOf = useGpu();

async function forward({ shape, lengths, rows, qkv, g, beta, initialStates }: DeltaCase): Promise<{ output: Float32Array; finalStates: Float32Array }> {
  const gpu = gpuOf();
  const { valueHeads } = shape;
  const inputs = { qkv: gpu.upload(qkv, [rows, deltaWidth(shape)]), g: gpu.upload(g, [rows, valueHeads]), beta: gpu.upload(beta, [rows, valueHeads]) };
  const initial = initialStates && gpu.upload(initialStates, [lengths.length, deltaStateSize(shape)]);
  const batch = planDeltaBatch(gpu, lengths, rows);
  const launch = () => gatedDeltaForward(gpu, inputs, batch, shape, { initialStates: initial, finalStates: true });
  await gpu.precompile(() => Object.values(launch()).forEach((tensor) => tensor?.dispose()));
  const result = launch();
  const values = { output: await gpu.readFloats(result.output), finalStates: await gpu.readFloats(result.finalStates!) };
  for (const tensor of [inputs.qkv, inputs.g, inputs.beta, batch.tables, result.output, result.finalStates!, ...(initial ? [initial] : [])]) tensor.dispose();
  return values;
}

/** Token by token through the kernel for generation, all samples of equal length side by side. */
async function stepped(gpu: Gpu, { shape, lengths, qkv, g, beta, initialStates }: DeltaCase): Promise<{ output: Float32Array; finalStates: Float32Array }> {
  const [samples, length] = [lengths.length, lengths[0]];
  const width = deltaWidth(shape);
  const size = deltaStateSize(shape);
  const outputSize = shape.valueHeads * shape.valueDim;
  const states = initialStates ? gpu.upload(initialStates, [samples, size]) : gpu.zeros([samples, size]);
  const output = new Float32Array(samples * length * outputSize);
  for (let t = 0; t < length; t++) {
    const at = (values: Float32Array, columns: number) =>
      gpu.upload(Float32Array.from({ length: samples * columns }, (_, i) => values[(Math.floor(i / columns) * length + t) * columns + (i % columns)]), [samples, columns]);
    const inputs = { qkv: at(qkv, width), g: at(g, shape.valueHeads), beta: at(beta, shape.valueHeads) };
    const row = gatedDeltaStep(gpu, inputs, states, shape);
    const values = await gpu.readFloats(row);
    for (let s = 0; s < samples; s++) output.set(values.subarray(s * outputSize, (s + 1) * outputSize), (s * length + t) * outputSize);
    for (const tensor of [inputs.qkv, inputs.g, inputs.beta, row]) tensor.dispose();
  }
  const finalStates = await gpu.readFloats(states);
  states.dispose();
  return { output, finalStates };
}

describe('the fixtures', () => {
  let cases: Map<string, GoldenDeltaCase>;
  beforeAll(async () => {
    cases = await goldenDeltaCases();
  });

  it('there are nine', () => expect(cases.size).toBe(9));

  it.each(['t1', 't5', 't64', 't65', 't130', 't33_plain', 't70_state', 't65_wide', 't9_small'])('%s: chunked and token by token, outputs and states', async (name) => {
    const golden = cases.get(name)!;
    for (const [form, result] of [['chunked', await forward(golden)], ['stepped', await stepped(gpuOf(), golden)]] as const) {
      const error = maxAbsError(result.output, golden.output);
      const stateError = maxAbsError(result.finalStates, golden.finalStates);
      expect(error, `${form} output`).toBeLessThan(TOLERANCE);
      expect(stateError, `${form} state`).toBeLessThan(TOLERANCE);
    }
  });
});

/** Lengths of 1, just below, at and just above one and two chunks. */
const LENGTHS = [31, 1, 32, 33, 64, 65];
const SHAPES: DeltaShape[] = [
  { keyHeads: 1, valueHeads: 1, keyDim: 4, valueDim: 4 },
  { keyHeads: 2, valueHeads: 4, keyDim: 20, valueDim: 28 },
  { keyHeads: 1, valueHeads: 2, keyDim: 132, valueDim: 36 },
];

describe('packed samples', () => {
  it.each(SHAPES)('$keyHeads heads of $keyDim for $valueHeads of $valueDim equal the plain rule', async (shape) => {
    for (const stateful of [false, true]) {
      const sample = randomDeltaCase(shape, LENGTHS, 3, stateful, 7);
      const expected = plainGatedDelta(sample, shape);
      const actual = await forward(sample);
      expect(maxAbsError(actual.output, expected.output), 'output').toBeLessThan(TOLERANCE);
      expect(maxAbsError(actual.finalStates, expected.finalStates), 'states').toBeLessThan(TOLERANCE);
    }
  });

  it('give the same bits alone, and again', async () => {
    const shape = SHAPES[1];
    const sample = randomDeltaCase(shape, LENGTHS, 3, true, 8);
    const packed = await forward(sample);
    expect(await forward(sample)).toEqual(packed);
    const size = deltaStateSize(shape);
    const slice = (values: Float32Array, first: number, count: number, columns: number) => values.slice(first * columns, (first + count) * columns);
    let first = 0;
    for (const [i, length] of LENGTHS.entries()) {
      const [width, heads] = [deltaWidth(shape), shape.valueHeads];
      const part = (values: Float32Array, columns: number) => slice(values, first, length, columns);
      const alone = await forward({ ...sample, lengths: [length], rows: length, qkv: part(sample.qkv, width), g: part(sample.g, heads), beta: part(sample.beta, heads), initialStates: slice(sample.initialStates!, i, 1, size) });
      expect(alone.output).toEqual(part(packed.output, heads * shape.valueDim));
      expect(alone.finalStates).toEqual(slice(packed.finalStates, i, 1, size));
      first += length;
    }
  });

  it('gates at their ends: nothing written, nothing forgotten, everything forgotten', async () => {
    const shape = SHAPES[1];
    const sample = randomDeltaCase(shape, [70], 0, true, 9);
    sample.beta.forEach((_, i) => (sample.beta[i] = i % 3 === 0 ? 0 : i % 3 === 1 ? 1 : 1e-30));
    sample.g.forEach((_, i) => (sample.g[i] = i % 5 === 0 ? -90 : i % 5 === 1 ? -1e-7 : 0));
    const expected = plainGatedDelta(sample, shape);
    const actual = await forward(sample);
    expect(maxAbsError(actual.output, expected.output)).toBeLessThan(TOLERANCE);
    expect(maxAbsError(actual.finalStates, expected.finalStates)).toBeLessThan(TOLERANCE);
  });

  it('a prompt and its continuations equal whole samples', async () => {
    const gpu = gpuOf();
    const shape = SHAPES[1];
    const [prompts, rest, width, heads] = [[37, 5], 9, deltaWidth(shape), shape.valueHeads];
    const sample = randomDeltaCase(shape, prompts.map((length) => length + rest), 0, false, 10);
    const expected = plainGatedDelta(sample, shape).finalStates;
    const starts = [0, prompts[0] + rest];
    const rowsOf = (values: Float32Array, columns: number, ranges: [number, number][]) => Float32Array.from(ranges.flatMap(([from, to]) => [...values.subarray(from * columns, to * columns)]));
    const pick = (ranges: [number, number][]) => ({ qkv: rowsOf(sample.qkv, width, ranges), g: rowsOf(sample.g, heads, ranges), beta: rowsOf(sample.beta, heads, ranges) });
    const prefill = await forward({ ...sample, ...pick(starts.map((start, i) => [start, start + prompts[i]])), lengths: prompts, rows: prompts[0] + prompts[1] });
    // Two continuations of the first prompt, one of the second; the first is dropped after three tokens.
    let owners = [0, 0, 1];
    let states = gatherRows(gpu, gpu.upload(prefill.finalStates, [2, deltaStateSize(shape)]), gpu.upload(Int32Array.from(owners), [3]));
    for (let t = 0; t < rest; t++) {
      if (t === 3) {
        states = gatherRows(gpu, states, gpu.upload(Int32Array.of(1, 2), [2]));
        owners = [0, 1];
      }
      const token = pick(owners.map((owner) => [starts[owner] + prompts[owner] + t, starts[owner] + prompts[owner] + t + 1]));
      const count = owners.length;
      gatedDeltaStep(gpu, { qkv: gpu.upload(token.qkv, [count, width]), g: gpu.upload(token.g, [count, heads]), beta: gpu.upload(token.beta, [count, heads]) }, states, shape).dispose();
    }
    expect(maxAbsError(await gpu.readFloats(states), expected)).toBeLessThan(TOLERANCE);
  });
});

describe('inputs that do not fit', () => {
  it('are refused, not misread', () => {
    const gpu = gpuOf();
    const shape = SHAPES[1];
    expect(() => planDeltaBatch(gpu, [3, 0], 3)).toThrow(/Invariant violation.*at least one row/);
    expect(() => planDeltaBatch(gpu, [3, 2], 4)).toThrow(/Invariant violation.*5 rows in a batch of 4/);
    const batch = planDeltaBatch(gpu, [3], 3);
    const gate = gpu.empty([3, 4]);
    expect(() => gatedDeltaForward(gpu, { qkv: gpu.empty([3, 190]), g: gate, beta: gate }, batch, shape)).toThrow(/Invariant violation.*qkv of shape \[3,190\] is not \[3, 192\]/);
    const qkv = gpu.empty([3, 192]);
    expect(() => gatedDeltaForward(gpu, { qkv, g: gate, beta: gate }, batch, shape, { initialStates: gpu.empty([2, 2240]) })).toThrow(/Invariant violation.*states of shape/);
  });
});

describe('tokens on a GPU, where threads share a column', () => {
  const gpuOf = useGpu('gpu');

  it.each(['t5', 't70_state', 't9_small'])('%s: outputs and states', async (name) => {
    const golden = (await goldenDeltaCases()).get(name)!;
    const result = await stepped(gpuOf(), golden);
    expect(maxAbsError(result.output, golden.output)).toBeLessThan(TOLERANCE);
    expect(maxAbsError(result.finalStates, golden.finalStates)).toBeLessThan(TOLERANCE);
  });
});
