import { describe, expect, it } from 'vitest';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import { PACE_KEYS } from '../../../src/protocol/messages.ts';
import { followLength } from '../../../src/training/pace.ts';

const config = parseTrainingConfig({});
const paceOf = (steps: number, changes = {}, auto: readonly (typeof PACE_KEYS)[number][] = PACE_KEYS) => {
  const { logging_steps, eval_steps, save_steps } = followLength({ ...config, ...changes }, auto, steps);
  return [logging_steps, eval_steps, save_steps];
};

describe('intervals that follow the length of a run', () => {
  it.each([
    [1, [1, 1, 1]],
    [12, [1, 3, 3]],
    [300, [8, 60, 75]],
    [100_000, [10, 500, 500]],
  ])('of %i steps', (steps, expected) => {
    expect(paceOf(steps)).toEqual(expected);
  });

  it('leave what the user has said, and what is never done', () => {
    expect(paceOf(12, {}, ['eval_steps'])).toEqual([10, 3, 500]);
    expect(paceOf(12, { eval_steps: 0, save_steps: 0 })).toEqual([1, 0, 0]);
  });

  it('leave saving to the method that counts samples', () => {
    expect(paceOf(12, { method: 'grpo' })).toEqual([1, 3, 500]);
  });
});
