import { describe, expect, it } from 'vitest';
import { textMetrics } from '../../../src/objectives/text-metrics.ts';

const of = (...pairs: [truth: string, answer: string][]) => textMetrics(pairs.map(([truth, answer]) => ({ truth, answer })))!;

describe('answers in plain text', () => {
  it('are right whatever their case, articles and full stops', () => {
    expect(of(['A red lid.', 'the Red lid'])).toMatchObject({ exact_match: 1, token_f1: 1 });
    expect(of(['A red lid.', 'lid red'])).toMatchObject({ exact_match: 0, token_f1: 1, rouge_l: 0.4 });
    expect(of(['42', '4 2'])).toMatchObject({ exact_match: 0, token_f1: 0 });
    expect(of(['?', '!'])).toMatchObject({ exact_match: 0, cer: 1 });
  });

  it('share words: by hand 2 of 3 and 4', () => {
    // True "red lid left", said "red lid on right": precision 2/4, recall 2/3.
    expect(of(['red lid left', 'red lid on right']).token_f1).toBeCloseTo((2 * (2 / 4) * (2 / 3)) / (2 / 4 + 2 / 3), 12);
    // Police killed the gunman (Lin 2004): "police kill the gunman" has "police the gunman" in common, "the gunman kill police" only "the gunman".
    expect(of(['police killed the gunman', 'police kill the gunman']).rouge_l).toBe(0.75);
    expect(of(['police killed the gunman', 'the gunman kill police']).rouge_l).toBe(0.5);
  });

  it('in Chinese are compared character by character', () => {
    expect(of(['红色井盖', '红色的井盖。'])).toMatchObject({ exact_match: 0, token_f1: 8 / 9, rouge_l: 8 / 9, cer: 0.5 });
  });

  it('have edits counted over all characters together', () => {
    expect(of(['kitten', 'sitting'], ['abcd', 'abcd']).cer).toBeCloseTo(3 / 10, 12);
    expect(of(['ab', 'a long answer']).cer).toBeGreaterThan(1);
  });

  it('to yes-or-no questions are judged by their first word, and only where all are such', () => {
    expect(of(['Yes', 'Yes, because it is red.'], ['no.', 'yes'], ['是', '是的']).yes_no_accuracy).toBeCloseTo(2 / 3, 12);
    expect(of(['Yes', 'Yes'], ['red', 'red'])).not.toHaveProperty('yes_no_accuracy');
    expect(of(['No', 'It cannot be told']).yes_no_accuracy).toBe(0);
  });

  it('are those after the thoughts; nothing is compared with nothing', () => {
    expect(of(['<think>a</think>red', '<think>b c</think>\n\nred']).exact_match).toBe(1);
    expect(textMetrics([{ truth: ' ', answer: 'x' }])).toBeNull();
    expect(textMetrics([])).toBeNull();
  });
});
