import { describe, expect, it } from 'vitest';
import { lastGoodStep } from '../../../src/objectives/explosion.ts';
import { diagnose, DIAGNOSIS_CODES, type FigureRow } from '../../../src/objectives/diagnosis.ts';

const rows = (count: number, figures: (i: number) => FigureRow) => Array.from({ length: count }, (_, i) => ({ step: i + 1, ...figures(i) }));
const codes = (found: ReturnType<typeof diagnose>) => found.map(({ code }) => code);
const VOCABULARY = 151_936;
const seen = new Set<string>();

describe('diagnose', () => {
  it.each([
    ['grpo-loss-near-zero', 'grpo', rows(3, () => ({ loss: 0.0004 })), 'info'],
    ['zero-variance-groups', 'grpo-trl', rows(12, (i) => ({ frac_reward_zero_std: i < 2 ? 0 : 0.6 })), 'warning'],
    ['kl-drift', 'grpo', rows(3, () => ({ kl: 0.2 })), 'warning'],
    ['length-cut', 'grpo', rows(3, () => ({ 'completions/clipped_ratio': 0.25 })), 'warning'],
    ['reward-flat', 'grpo', rows(20, (i) => ({ reward: i % 2, reward_std: 1 })), 'warning'],
    ['both-log-probs-falling', 'dpo', rows(8, (i) => ({ 'logps/chosen': -10 - i, 'logps/rejected': -10 - 2 * i, 'rewards/margins': i })), 'info'],
    ['both-log-probs-falling', 'dpo', rows(8, (i) => ({ 'logps/chosen': -10 - i, 'logps/rejected': -10 - i, 'rewards/margins': 0 })), 'warning'],
    ['accuracy-at-chance', 'dpo', rows(10, (i) => ({ 'rewards/accuracies': i % 2 })), 'warning'],
    ['adapter-dead', 'sft', rows(4, (i) => ({ loss: 1, grad_norm: i < 2 ? 1 : 0 })), 'error'],
    ['loss-uniform', 'sft', rows(8, (i) => ({ loss: i < 4 ? 2 : Math.log(VOCABULARY) + 0.01 * i })), 'error'],
    ['gradient-spike', 'sft', rows(9, (i) => ({ loss: 1, grad_norm: i === 7 ? 150 : 1 + 0.01 * i })), 'warning'],
  ] as const)('%s in %s', (code, method, log, severity) => {
    const found = diagnose(log, method, VOCABULARY);
    expect(codes(found)).toEqual([code]);
    expect(found[0].severity).toBe(severity);
    expect(Object.values(found[0].values).every(Number.isFinite)).toBe(true);
    seen.add(code);
  });

  it('has a case above for each code', () => expect([...seen].sort()).toEqual([...DIAGNOSIS_CODES].sort()));

  it.each([
    ['a healthy GRPO run', 'grpo', rows(20, (i) => ({ loss: 0.1, kl: 0.02, frac_reward_zero_std: 0.2, 'completions/clipped_ratio': 0, reward: i, reward_std: 1 }))],
    ['a healthy DPO run', 'dpo', rows(20, (i) => ({ 'logps/chosen': -10 + i, 'logps/rejected': -10 - i, 'rewards/margins': i, 'rewards/accuracies': 0.9 }))],
    ['rows without these figures', 'dpo', rows(20, () => ({ loss: null, kl: NaN }))],
    ['no rows', 'grpo', []],
    ['a loss at its uniform level from the start', 'sft', rows(20, () => ({ loss: Math.log(151_936), grad_norm: 1 }))],
    ['one step without gradient', 'sft', rows(20, (i) => ({ loss: 1, grad_norm: i === 10 ? 0 : 1 }))],
    ['a spike long ago', 'sft', rows(20, (i) => ({ loss: 1, grad_norm: i === 3 ? 500 : 1 }))],
    ['SFT', 'sft', rows(5, () => ({ loss: 0, kl: 9 }))],
  ] as const)('has nothing to say of %s', (_, method, log) => expect(diagnose(log, method, VOCABULARY)).toEqual([]));

  it('does not call GRPO dead where all answers score alike', () => {
    expect(codes(diagnose(rows(4, () => ({ loss: 0.1, grad_norm: 0, frac_reward_zero_std: 1 })), 'grpo'))).toEqual(['zero-variance-groups']);
  });

  it('knows the last step before an explosion: the weights that gave the last good figures, and no later ones', () => {
    const dead = rows(9, (i) => ({ loss: 1, grad_norm: i < 6 ? 1 : 0 }));
    const guessing = rows(9, (i) => ({ loss: i < 4 ? 2 : Math.log(VOCABULARY), grad_norm: 1 }));
    expect(lastGoodStep(dead, 'sft', null)).toBe(5);
    expect(lastGoodStep(guessing, 'sft', VOCABULARY)).toBe(3);
    expect(lastGoodStep(guessing, 'sft', null)).toBeNull();
    expect(lastGoodStep(dead.slice(5), 'sft', null)).toBe(5);
    expect(lastGoodStep(dead.slice(6), 'sft', null)).toBeNull();
    expect(lastGoodStep(rows(9, (i) => ({ loss: 1, grad_norm: i < 1 ? 1 : 0 })), 'sft', null)).toBeNull();
    expect(lastGoodStep(rows(9, () => ({ loss: 1, grad_norm: 1 })), 'sft', VOCABULARY)).toBeNull();
  });

  it('puts warnings first', () => expect(codes(diagnose(rows(3, () => ({ loss: 0, kl: 1 })), 'grpo'))).toEqual(['kl-drift', 'grpo-loss-near-zero']));
});
