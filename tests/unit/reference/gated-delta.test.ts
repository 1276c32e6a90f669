/** The plain references of linear attention: gradients against central differences, the rule against the fixtures. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../../../src/checkpoint/safetensors.ts';
import { plainCausalConv, plainCausalConvGradient } from '../../reference/causal-conv.ts';
import { centralDifferences, dot } from '../../reference/differences.ts';
import { plainGatedDelta, plainGatedDeltaGradient, type PlainDeltaInputs } from '../../reference/gated-delta.ts';

const wave = (length: number, phase: number) => Float64Array.from({ length }, (_, i) => Math.sin(1.7 * i + phase) + 0.3 * Math.cos(0.31 * i * i));

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-8): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i] - expected[i])).toBeLessThan(tolerance);
}

describe('plain gated delta rule', () => {
  it('gradients equal central differences', () => {
    const shape = { keyHeads: 1, valueHeads: 2, keyDim: 3, valueDim: 2 };
    const inputs: PlainDeltaInputs = {
      qkv: wave(7 * 10, 1),
      g: wave(7 * 2, 2).map((value) => -Math.abs(value)),
      beta: wave(7 * 2, 3).map((value) => 0.5 + 0.3 * value),
      lengths: [3, 2],
      initialStates: wave(2 * 12, 4),
    };
    const [dOutput, dFinalStates] = [wave(7 * 4, 5), wave(2 * 12, 6)];
    const loss = (changed: PlainDeltaInputs) => {
      const { output, finalStates } = plainGatedDelta(changed, shape);
      return dot(output, dOutput) + dot(finalStates, dFinalStates);
    };
    const gradient = plainGatedDeltaGradient(inputs, shape, dOutput, dFinalStates);
    const along = (name: 'qkv' | 'g' | 'beta' | 'initialStates') => centralDifferences((x) => loss({ ...inputs, [name]: x }), inputs[name]!);
    expectClose(gradient.dQkv, along('qkv'));
    expectClose(gradient.dG, along('g'));
    expectClose(gradient.dBeta, along('beta'));
    expectClose(gradient.dInitialStates, along('initialStates'));
  });

  it('equals the float64 values of the fixtures, with its gradients', async () => {
    const file = await SafetensorsFile.open(new Blob([await readFile('tests/fixtures/qwen3_5/cases/delta_rule.safetensors')]), 'delta_rule.safetensors');
    const of = async (name: string) => new Float32Array((await file.readTensor(`t70_state/${name}`)).bytes.buffer);
    const shape = { keyHeads: 1, valueHeads: 1, keyDim: 16, valueDim: 24 };
    const join = (q: Float32Array, k: Float32Array, v: Float32Array) =>
      Float32Array.from({ length: q.length + k.length + v.length }, (_, i) => {
        const [row, column] = [Math.floor(i / 56), i % 56];
        return column < 16 ? q[row * 16 + column] : column < 32 ? k[row * 16 + column - 16] : v[row * 24 + column - 32];
      });
    const inputs = { qkv: join(await of('q'), await of('k'), await of('v')), g: await of('g'), beta: await of('beta'), lengths: [70, 70], initialStates: await of('initial_state') };
    const { output, finalStates } = plainGatedDelta(inputs, shape);
    expectClose(output, await of('out'), 1e-6);
    expectClose(finalStates, await of('final_state'), 1e-6);
    const gradient = plainGatedDeltaGradient(inputs, shape, await of('grad_out'), await of('grad_final_state'));
    expectClose(gradient.dQkv, join(await of('grad/q'), await of('grad/k'), await of('grad/v')), 1e-5);
    expectClose(gradient.dG, await of('grad/g'), 1e-5);
    expectClose(gradient.dBeta, await of('grad/beta'), 1e-5);
    expectClose(gradient.dInitialStates, await of('grad/initial_state'), 1e-5);
  });
});

it('plain causal convolution: the gradient equals central differences', () => {
  const [x, weight, dy] = [wave(8 * 3, 1), wave(3 * 4, 2), wave(8 * 3, 3)];
  const start = [0, 0, 0, 0, 0, 5, 5, 7];
  expectClose(plainCausalConvGradient(x, weight, 4, start, dy), centralDifferences((values) => dot(plainCausalConv(values, weight, 4, start), dy), x));
});
