/** Scores of texts, each reckoned by hand. */
import { describe, expect, it } from 'vitest';
import { bleu } from '../../../../src/objectives/evaluation/bleu.ts';
import { once } from '../../../../src/objectives/evaluation/statistic.ts';
import { anls, textFigures } from '../../../../src/objectives/evaluation/text-figures.ts';
import type { MetricName } from '../../../../src/objectives/evaluation/metrics.ts';

const words = (text: string) => text.split(' ');
const bleuOf = (order: number, ...pairs: [truth: string, answer: string][]) => bleu(pairs.map(([truth, answer]) => ({ truth: words(truth), answer: words(answer) })), order)(once(pairs.length));

describe('BLEU', () => {
  it('clips words as often as the truth has them: 2 of 7 (Papineni et al. 2002)', () => {
    expect(bleuOf(1, ['the cat is on the mat', 'the the the the the the the'])).toBeCloseTo(2 / 7, 12);
  });

  it('punishes answers that are too short', () => {
    // Both words right, six expected: e^(1 − 6/2).
    expect(bleuOf(1, ['the cat is on the mat', 'the cat'])).toBeCloseTo(Math.exp(-2), 12);
  });

  it('takes the geometric mean of four orders over the whole set', () => {
    // "a b c d e" against "a b c d f": 4/5, 3/4, 2/3, 1/2; with a second, right answer of four words: 8/9, 6/7, 4/5, 2/3.
    expect(bleuOf(4, ['a b c d e', 'a b c d f'])).toBeCloseTo(((4 / 5) * (3 / 4) * (2 / 3) * (1 / 2)) ** 0.25, 12);
    expect(bleuOf(4, ['a b c d e', 'a b c d f'], ['g h i j', 'g h i j'])).toBeCloseTo(((8 / 9) * (6 / 7) * (4 / 5) * (2 / 3)) ** 0.25, 12);
  });

  it('is nothing where truths have too few words, and 0 where answers share none', () => {
    expect(bleuOf(4, ['a b c', 'a b c'])).toBeNull();
    expect(bleuOf(4, ['a b c d', 'a b d c'])).toBe(0);
  });
});

describe('text figures', () => {
  it('have an edit score that forgets answers further away than half', () => {
    // "STOP" and "stap": 1 edit of 4. "stop" and "go": 3 edits of 4.
    expect(anls('STOP', 'stap')).toBe(0.75);
    expect(anls('stop', 'go')).toBe(0);
    expect(anls('', '')).toBe(1);
  });

  it('leave samples without truth out, and measure nothing of none', () => {
    const of = (...pairs: { truth: string; answer: string }[]) => {
      const figures = textFigures(pairs);
      return (name: MetricName) => figures[name]!(once(pairs.length));
    };
    const some = of({ truth: 'red lid left', answer: 'red lid on right' }, { truth: '', answer: 'whatever' });
    expect(some('exact_match_rate')).toBe(0);
    expect(some('token_f1')).toBeCloseTo(4 / 7, 12);
    expect(some('rouge_l_f1')).toBeCloseTo(4 / 7, 12);
    expect(some('bleu1')).toBeCloseTo(2 / 4, 12);
    const none = of({ truth: '', answer: 'whatever' });
    expect((['exact_match_rate', 'token_f1', 'rouge_l_f1', 'bleu1', 'bleu4', 'anls'] as const).map(none)).toEqual([null, null, null, null, null, null]);
  });
});
