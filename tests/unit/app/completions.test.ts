import { describe, expect, it } from 'vitest';
import { inOrder, positionOf, readablePrompt, spreadOf } from '../../../src/app/completions/order.ts';
import { meanPhases, phasesOf } from '../../../src/app/runs/phases.ts';
import { RunRecord } from '../../../src/app/state/run-record.svelte.ts';
import type { CompletionGroup } from '../../../src/protocol/messages.ts';

function group(...rewards: (number | null)[]): CompletionGroup {
  const completions = rewards.map((reward) => ({ text: '', boxes: [], tokens: 1, truncated: false, rewards: {}, reward, advantage: 0 }));
  return { step: 1, sample: 0, id: 'a', prompt: '<image>\nFind it.', truth: '', truthBoxes: [], completions };
}

describe('a group of answers', () => {
  it('comes best first, unscored last, equal ones as sampled', () => {
    expect(inOrder(group(1, null, 3, 1), 'reward').map(({ number }) => number)).toEqual([3, 1, 4, 2]);
    expect(inOrder(group(1, null, 3), 'sampled').map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  it('is marked as teaching nothing when all scored answers are equal', () => {
    expect(spreadOf(group(0.1 + 0.2, 0.3, null)).equal).toBe(true);
    expect(spreadOf(group(0.3, 0.3001)).equal).toBe(false);
    expect(spreadOf(group(null, null))).toEqual({ mean: null, deviation: null, equal: true });
  });

  it('has mean and unbiased spread', () => {
    expect(spreadOf(group(1, 3))).toEqual({ mean: 2, deviation: Math.SQRT2, equal: false });
    expect(spreadOf(group(2)).deviation).toBeNull();
  });

  it('shows its prompt without the places of images', () => {
    expect(readablePrompt(group())).toBe('Find it.');
  });
});

describe('logged steps of answers', () => {
  it('show the wanted step, else the nearest earlier, else the first', () => {
    expect([10, 25, 5, 99].map((step) => positionOf([10, 20, 30], step))).toEqual([0, 1, 0, 2]);
  });

  it('forget what a resumed run samples again, and join what storage knows', () => {
    const run = new RunRecord('a', 'A');
    for (const step of [10, 20, 30]) run.takeCompletions(step, [group(step)]);
    run.takeCompletions(20, [group(99)]);
    expect(run.completionSteps).toEqual([10, 20]);
    expect(run.newestCompletions[0].completions[0].reward).toBe(99);
    run.knowCompletions([5, 10]);
    expect(run.completionSteps).toEqual([5, 10, 20]);
  });
});

describe('parts of a step', () => {
  it('name what the row tells and the rest of the step', () => {
    const row = { step: 1, generate_ms: 50, score_ms: 1, backward_ms: 29, step_time_ms: 100 };
    expect(phasesOf(row)).toEqual([
      { phase: 'generate', milliseconds: 50 },
      { phase: 'score', milliseconds: 1 },
      { phase: 'backward', milliseconds: 29 },
      { phase: 'other', milliseconds: 20 },
    ]);
    expect(phasesOf({ ...row, step_time_ms: 80.2 })?.map(({ phase }) => phase)).not.toContain('other');
    expect(phasesOf({ step: 1, step_time_ms: 100 })).toBeNull();
  });

  it('average over steps, a missing part counting as nothing', () => {
    expect(meanPhases([[{ phase: 'generate', milliseconds: 10 }], [{ phase: 'generate', milliseconds: 30 }, { phase: 'other', milliseconds: 4 }]])).toEqual([
      { phase: 'generate', milliseconds: 20 },
      { phase: 'other', milliseconds: 2 },
    ]);
  });
});
