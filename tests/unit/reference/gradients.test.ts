/** The slow references that the kernels are compared with: their gradients against central differences, erf against known values. */
import { describe, expect, it } from 'vitest';
import { erf } from '../../reference/activation.ts';
import { plainAttention, plainAttentionGradient } from '../../reference/attention.ts';
import { centralDifferences, dot } from '../../reference/differences.ts';
import { plainLogProbs } from '../../reference/log-probs.ts';

const wave = (length: number, phase: number) => Float64Array.from({ length }, (_, i) => Math.sin(1.7 * i + phase) + 0.3 * Math.cos(0.31 * i * i));

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i] - expected[i])).toBeLessThan(1e-8);
}

describe('plain attention', () => {
  it.each([true, false])('gradients equal central differences (causal %s)', (causal) => {
    const shape = { rows: 6, heads: 4, kvHeads: 2, headDim: 4, causal };
    const inputs = { q: wave(6 * 16, 1), k: wave(6 * 8, 2), v: wave(6 * 8, 3), start: [0, 0, 0, 0, 4, 5], end: [4, 4, 4, 4, 5, 6] };
    const dO = wave(6 * 16, 4);
    const { dq, dk, dv } = plainAttentionGradient(inputs, shape, dO);
    const along = (name: 'q' | 'k' | 'v') => centralDifferences((x) => dot(plainAttention({ ...inputs, [name]: x }, shape), dO), inputs[name]);
    expectClose(dq, along('q'));
    expectClose(dk, along('k'));
    expectClose(dv, along('v'));
  });
});

it('plain log-probabilities: the gradient equals central differences', () => {
  const head = wave(11 * 5, 1);
  const hidden = wave(3 * 5, 2);
  const targets = [10, 0, 4];
  const rowWeights = [0.5, -1.25, 2];
  const { dHidden } = plainLogProbs(hidden, head, 5, 11, targets, rowWeights);
  expectClose(dHidden, centralDifferences((x) => dot(plainLogProbs(x, head, 5, 11, targets, rowWeights).nll, rowWeights), hidden));
});

it('erf has its known values on both sides of the switch of method', () => {
  const known = [[0, 0], [0.5, 0.5204998778130465], [1, 0.8427007929497149], [2, 0.9953222650189527], [3, 0.9999779095030014], [-1.5, -0.9661051464753108]];
  for (const [x, value] of known) expect(Math.abs(erf(x) - value)).toBeLessThan(1e-14);
  expect(Math.abs(erf(2.499999999) - erf(2.500000001))).toBeLessThan(1e-11);
});
