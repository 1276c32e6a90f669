/** How well answers agree with the truth as texts. */
import { answerText, editDistance, exactMatch, rougeL, tokenF1, wordsOf } from '../text-metrics.ts';
import type { Figures } from './behaviour-figures.ts';
import { bleu } from './bleu.ts';
import { mean } from './statistic.ts';

/** Answers further from the truth than this share of their length count nothing (Biten et al. 2019). */
const ANLS_LIMIT = 0.5;

/** 1 − normalised edit distance where that is below one half, else 0; letters' case does not count. */
export function anls(truth: string, answer: string): number {
  const [expected, given] = [[...truth.toLowerCase()], [...answer.toLowerCase()]];
  const longest = Math.max(expected.length, given.length);
  const distance = longest === 0 ? 0 : editDistance(expected, given) / longest;
  return distance < ANLS_LIMIT ? 1 - distance : 0;
}

/** @param pairs truth '' where the data knows no answer: such samples take no part */
export function textFigures(pairs: readonly { truth: string; answer: string }[]): Figures {
  const cut = pairs.map(({ truth, answer }) => (answerText(truth) === '' ? null : { truth: answerText(truth), answer: answerText(answer) }));
  const over = (score: (truth: string, answer: string) => number) => mean(cut.map((pair) => (pair ? score(pair.truth, pair.answer) : null)));
  const words = cut.map((pair) => pair && { truth: wordsOf(pair.truth), answer: wordsOf(pair.answer) });
  return {
    exact_match_rate: over(exactMatch),
    token_f1: over(tokenF1),
    rouge_l_f1: over(rougeL),
    bleu1: bleu(words, 1),
    bleu4: bleu(words, 4),
    anls: over(anls),
  };
}
