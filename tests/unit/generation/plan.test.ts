import { describe, expect, it } from 'vitest';
import { planGroups, promptsThatFit, type Room } from '../../../src/generation/plan.ts';

const room = (tokens: number, sequences = 1000): Room => ({ bytesPerToken: 10, bytesPerSequence: 0, cacheBytes: tokens * 10, sequences });

describe('splitting a generation', () => {
  it('keeps everything together while it fits', () => {
    // Two prompts of 20 and 30 tokens, four completions of 16 rows each.
    expect(planGroups(room(50 + 8 * 16), [20, 30], 4, 10)).toEqual([{ firstPrompt: 0, promptCount: 2, slots: 8 }]);
  });

  it('separates prompts first, then lets the completions of one prompt wait', () => {
    expect(planGroups(room(50 + 8 * 16 - 1), [20, 30], 4, 10).map(({ firstPrompt, slots }) => [firstPrompt, slots])).toEqual([[0, 4], [1, 4]]);
    expect(planGroups(room(30 + 3 * 16), [20, 30], 4, 10).map(({ firstPrompt, slots }) => [firstPrompt, slots])).toEqual([[0, 3], [1, 3]]);
  });

  it('has prompts wait while they take little of the cache', () => {
    // Four prompts of 10 tokens are a quarter of the cache; the rest holds seven completions of 16 rows.
    expect(planGroups(room(160), new Array<number>(6).fill(10), 8, 10)).toEqual([{ firstPrompt: 0, promptCount: 4, slots: 7 }, { firstPrompt: 4, promptCount: 2, slots: 8 }]);
  });

  it('goes on one by one when not even one fits', () => {
    expect(planGroups(room(1), [20, 30], 2, 10).map(({ slots }) => slots)).toEqual([1, 1]);
    expect(promptsThatFit(room(1), 20, 10)).toBe(1);
  });

  it('never decodes more sequences at once than the device can', () => {
    expect(planGroups(room(1e6, 5), [9, 9, 9], 2, 10)).toEqual([{ firstPrompt: 0, promptCount: 3, slots: 5 }]);
    expect(planGroups(room(1e6, 5), [9], 12, 10)[0].slots).toBe(5);
    expect(promptsThatFit(room(1e6, 5), 20, 10)).toBe(5);
  });

  it('does not run thousands of prompt tokens at once', () => {
    expect(planGroups(room(1e9), [3000, 3000, 1000, 9000], 1, 10).map(({ promptCount }) => promptCount)).toEqual([1, 2, 1]);
  });
});
