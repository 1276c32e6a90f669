import { beforeAll, describe, expect, it } from 'vitest';
import { planDeltaBatch } from '../../src/kernels/delta-batch.ts';
import { gatedDeltaBackward } from '../../src/kernels/gated-delta-backward.ts';
import { deltaStateSize, type DeltaShape } from '../../src/kernels/gated-delta.ts';
import { plainGatedDeltaGradient } from '../reference/gated-delta.ts';
import { deltaWidth, goldenDeltaCases, randomDeltaCase, relativeL2, type DeltaCase, type GoldenDeltaCase } from './delta-cases.ts';
import { useGpu } from './open.ts';

/** Relative L2 per tensor; other float32 forms are within 1e-6 of the fixtures. */
const TOLERANCE = 1e-5;
const gpuOf = useGpu();

interface Gradients {
  dQkv: Float32Array;
  dG: Float32Array;
  dBeta: Float32Array;
  dInitialStates?: Float32Array;
}

async function backward({ shape, lengths, rows, qkv, g, beta, initialStates, dOutput, dFinalStates }: DeltaCase): Promise<Gradients> {
  const gpu = gpuOf();
  const { valueHeads, valueDim } = shape;
  const inputs = { qkv: gpu.upload(qkv, [rows, deltaWidth(shape)]), g: gpu.upload(g, [rows, valueHeads]), beta: gpu.upload(beta, [rows, valueHeads]) };
  const states = (values: Float32Array | undefined) => values && gpu.upload(values, [lengths.length, deltaStateSize(shape)]);
  const batch = planDeltaBatch(gpu, lengths, rows);
  const upstream = gpu.upload(dOutput, [rows, valueHeads * valueDim]);
  const [initial, dFinal] = [states(initialStates), states(dFinalStates)];
  const launch = () => gatedDeltaBackward(gpu, inputs, batch, shape, upstream, { initialStates: initial, dFinalStates: dFinal });
  await gpu.precompile(() => Object.values(launch()).forEach((tensor) => tensor?.dispose()));
  const { dQkv, dG, dBeta, dInitialStates } = launch();
  const values: Gradients = { dQkv: await gpu.readFloats(dQkv), dG: await gpu.readFloats(dG), dBeta: await gpu.readFloats(dBeta) };
  if (dInitialStates) values.dInitialStates = await gpu.readFloats(dInitialStates);
  for (const tensor of [inputs.qkv, inputs.g, inputs.beta, batch.tables, upstream, dQkv, dG, dBeta, initial, dFinal, dInitialStates]) tensor?.dispose();
  return values;
}

/** Columns of q, k and v apart: a large gradient of one must not hide a wrong one of another. */
function parts({ dQkv, ...rest }: Gradients, shape: DeltaShape): Record<string, Float32Array> {
  const width = deltaWidth(shape);
  const keys = shape.keyHeads * shape.keyDim;
  const columns = (from: number, to: number) => dQkv.filter((_, i) => i % width >= from && i % width < to);
  return { dQ: columns(0, keys), dK: columns(keys, 2 * keys), dV: columns(2 * keys, width), ...rest };
}

function expectClose(actual: Gradients, expected: Gradients, shape: DeltaShape): void {
  const wanted = parts(expected, shape);
  for (const [name, values] of Object.entries(parts(actual, shape))) {
    expect.soft(relativeL2(values, wanted[name]), name).toBeLessThan(TOLERANCE);
  }
}

const expectedOf = (sample: DeltaCase): Gradients => {
  const { dQkv, dG, dBeta, dInitialStates } = plainGatedDeltaGradient(sample, sample.shape, sample.dOutput, sample.dFinalStates);
  const gradients: Gradients = { dQkv: Float32Array.from(dQkv), dG: Float32Array.from(dG), dBeta: Float32Array.from(dBeta) };
  return sample.initialStates ? { ...gradients, dInitialStates: Float32Array.from(dInitialStates) } : gradients;
};

/** Gradients of q and k of a rule that takes them as they are, through the normalisation that the kernel does besides. */
function throughNormalization({ qkv, dQkv, rows, shape }: GoldenDeltaCase): Float32Array {
  const { keyHeads, keyDim } = shape;
  const result = dQkv.slice();
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < 2 * keyHeads; head++) {
      const at = row * deltaWidth(shape) + head * keyDim;
      const x = qkv.subarray(at, at + keyDim);
      const dy = dQkv.subarray(at, at + keyDim);
      const inverse = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) + 1e-6);
      const along = x.reduce((sum, value, i) => sum + value * dy[i], 0) * inverse * inverse;
      for (let i = 0; i < keyDim; i++) result[at + i] = inverse * (dy[i] - x[i] * along);
    }
  }
  return result;
}

describe('gradients of the fixtures', () => {
  let cases: Map<string, GoldenDeltaCase>;
  beforeAll(async () => {
    cases = await goldenDeltaCases();
  });

  it.each(['t1', 't5', 't64', 't65', 't130', 't33_plain', 't70_state', 't65_wide', 't9_small'])('%s', async (name) => {
    const golden = cases.get(name)!;
    expectClose(await backward(golden), golden.normalized ? golden : { ...golden, dQkv: throughNormalization(golden) }, golden.shape);
  });
});

/** Lengths of 1, just below, at and just above one and two chunks. */
const LENGTHS = [31, 1, 32, 33, 64, 65];
const SHAPES: DeltaShape[] = [
  { keyHeads: 1, valueHeads: 1, keyDim: 4, valueDim: 4 },
  { keyHeads: 2, valueHeads: 4, keyDim: 20, valueDim: 28 },
  { keyHeads: 1, valueHeads: 2, keyDim: 132, valueDim: 36 },
];

describe('gradients of packed samples', () => {
  it.each(SHAPES)('$keyHeads heads of $keyDim for $valueHeads of $valueDim equal those of the plain rule', async (shape) => {
    for (const stateful of [false, true]) {
      const sample = randomDeltaCase(shape, LENGTHS, 3, stateful, 17);
      expectClose(await backward(sample), expectedOf(sample), shape);
    }
  });

  it('of states given without states asked for, and the other way round', async () => {
    const sample = randomDeltaCase(SHAPES[1], [33, 5], 1, true, 18);
    for (const one of [{ ...sample, dFinalStates: undefined }, { ...sample, initialStates: undefined }]) expectClose(await backward(one), expectedOf(one), SHAPES[1]);
  });

  it('are the same bits alone, and again', async () => {
    const shape = SHAPES[1];
    const sample = randomDeltaCase(shape, LENGTHS, 3, false, 19);
    const packed = await backward(sample);
    expect(await backward(sample)).toEqual(packed);
    let first = 0;
    for (const length of LENGTHS) {
      const [width, heads] = [deltaWidth(shape), shape.valueHeads];
      const part = (values: Float32Array, columns: number) => values.slice(first * columns, (first + length) * columns);
      const alone = await backward({ ...sample, lengths: [length], rows: length, qkv: part(sample.qkv, width), g: part(sample.g, heads), beta: part(sample.beta, heads), dOutput: part(sample.dOutput, heads * shape.valueDim) });
      expect(alone).toEqual({ dQkv: part(packed.dQkv, width), dG: part(packed.dG, heads), dBeta: part(packed.dBeta, heads) });
      first += length;
    }
  });

  it('stay right and finite with gates at their ends', async () => {
    const sample = randomDeltaCase(SHAPES[1], [70], 0, true, 20);
    sample.beta.forEach((_, i) => (sample.beta[i] = i % 3 === 0 ? 0 : i % 3 === 1 ? 1 : 1e-30));
    sample.g.forEach((_, i) => (sample.g[i] = i % 5 === 0 ? -90 : i % 5 === 1 ? -1e-7 : 0));
    expectClose(await backward(sample), expectedOf(sample), SHAPES[1]);
  });
});
