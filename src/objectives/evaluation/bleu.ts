/** BLEU over a whole set: clipped n-gram precisions, their geometric mean, and the brevity penalty (Papineni et al. 2002); no smoothing. */
import type { Statistic } from './statistic.ts';

interface Counts {
  truthWords: Float64Array;
  answerWords: Float64Array;
  /** By order of n-gram. */
  matched: Float64Array[];
  given: Float64Array[];
  expected: Float64Array[];
}

/**
 * @param pairs words of truth and answer; null for a sample without truth
 * @param order longest n-grams
 * @returns null over a set whose truths have no n-grams of that order; 0 where no answer shares any
 */
export function bleu(pairs: readonly ({ truth: readonly string[]; answer: readonly string[] } | null)[], order: number): Statistic {
  const counts = count(pairs, order);
  const sum = (values: Float64Array, weights: ArrayLike<number>) => values.reduce((total, value, i) => total + weights[i] * value, 0);
  return (weights) => {
    if (sum(counts.expected[order - 1], weights) === 0) return null;
    const words = sum(counts.answerWords, weights);
    let logs = 0;
    for (let n = 0; n < order; n++) {
      const matched = sum(counts.matched[n], weights);
      if (matched === 0) return 0;
      logs += Math.log(matched / sum(counts.given[n], weights));
    }
    return Math.min(1, Math.exp(1 - sum(counts.truthWords, weights) / words)) * Math.exp(logs / order);
  };
}

function count(pairs: readonly ({ truth: readonly string[]; answer: readonly string[] } | null)[], order: number): Counts {
  const row = () => new Float64Array(pairs.length);
  const rows = () => Array.from({ length: order }, row);
  const counts: Counts = { truthWords: row(), answerWords: row(), matched: rows(), given: rows(), expected: rows() };
  pairs.forEach((pair, i) => {
    if (!pair) return;
    counts.truthWords[i] = pair.truth.length;
    counts.answerWords[i] = pair.answer.length;
    for (let n = 1; n <= order; n++) {
      const expected = grams(pair.truth, n);
      for (const [gram, times] of grams(pair.answer, n)) counts.matched[n - 1][i] += Math.min(times, expected.get(gram) ?? 0);
      counts.given[n - 1][i] = Math.max(0, pair.answer.length - n + 1);
      counts.expected[n - 1][i] = Math.max(0, pair.truth.length - n + 1);
    }
  });
  return counts;
}

function grams(words: readonly string[], n: number): Map<string, number> {
  const found = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    const gram = words.slice(i, i + n).join(' ');
    found.set(gram, (found.get(gram) ?? 0) + 1);
  }
  return found;
}
