/**
 * How well answers in plain text agree with the truth: what is asked of VQA, captions, reading of text and yes-or-no questions.
 *
 * Exact match and token F1 normalise as SQuAD's evaluation does (letter case, punctuation, English articles); ROUGE-L is
 * Lin 2004's F measure over words; the character error rate is that of speech and text recognition. Chinese, Japanese
 * and Korean characters are words of their own.
 */
import type { AnswerPair } from './detection.ts';

/** Means over all pairs, 0 to 1 but for the error rate. */
export interface TextMetrics {
  exact_match: number;
  token_f1: number;
  rouge_l: number;
  /** Edits over true characters of all pairs together; above 1 where answers are much too long. */
  cer: number;
  /** Right among the yes-or-no questions; only where every truth is one of these words. */
  yes_no_accuracy?: number;
}

/** Longer texts are compared by their beginnings: the comparison takes time by the square. */
const MAX_CHARACTERS = 4000;
const ARTICLES = new Set(['a', 'an', 'the']);
const YES = new Set(['yes', 'true', 'correct', '是', '是的', '对', '有', '正确']);
const NO = new Set(['no', 'false', 'incorrect', '否', '不是', '不', '没有', '不对', '错误']);
const WORDS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]|[\p{L}\p{N}\p{M}]+/gu;

/** Null where there is no true text to compare with. */
export function textMetrics(pairs: readonly AnswerPair[]): TextMetrics | null {
  const given = pairs.map(({ truth, answer }) => ({ truth: answerText(truth), answer: answerText(answer) })).filter(({ truth }) => truth !== '');
  if (given.length === 0) return null;
  const mean = (score: (truth: string, answer: string) => number) => given.reduce((sum, { truth, answer }) => sum + score(truth, answer), 0) / given.length;
  const characters = given.reduce((sum, { truth }) => sum + [...truth].length, 0);
  const edits = given.reduce((sum, { truth, answer }) => sum + editDistance([...truth], [...answer]), 0);
  const asked = given.map(({ truth }) => verdictOf(truth));
  return {
    exact_match: mean(exactMatch),
    token_f1: mean(tokenF1),
    rouge_l: mean(rougeL),
    cer: edits / characters,
    ...(asked.every((verdict) => verdict !== null) && { yes_no_accuracy: given.filter(({ answer }, i) => firstVerdict(answer) === asked[i]).length / given.length }),
  };
}

/** 1 where truth and answer are the same after SQuAD's normalisation, else 0. Both as `answerText` has them. */
export function exactMatch(truth: string, answer: string): number {
  const [expected, given] = [normalised(truth), normalised(answer)];
  return Number(expected.join(' ') === given.join(' ') && (expected.length > 0 || truth === answer));
}

/** Harmonic mean of the shares of words that truth and answer have in common, 0 to 1. */
export function tokenF1(truth: string, answer: string): number {
  const [expected, given] = [normalised(truth), normalised(answer)];
  return harmonic(common(expected, given), expected.length, given.length);
}

/** F measure of the longest common sequence of words, 0 to 1. */
export function rougeL(truth: string, answer: string): number {
  const [expected, given] = [wordsOf(truth), wordsOf(answer)];
  return harmonic(longestCommon(expected, given), expected.length, given.length);
}

/** What is compared of a text: no thoughts, no spaces around it, no more than its beginning. */
export function answerText(text: string): string {
  const answer = text.slice(text.lastIndexOf('</think>') < 0 ? 0 : text.lastIndexOf('</think>') + '</think>'.length);
  return answer.trim().slice(0, MAX_CHARACTERS);
}

/** Words in lower case; each Han, Hiragana, Katakana and Hangul character is one. */
export function wordsOf(text: string): string[] {
  return text.normalize('NFKC').toLowerCase().match(WORDS) ?? [];
}

function normalised(text: string): string[] {
  return wordsOf(text).filter((word) => !ARTICLES.has(word));
}

/** Whether a text is nothing but yes or no. */
function verdictOf(text: string): boolean | null {
  const word = text.toLowerCase().replace(/[\s.,!。，！]+$/u, '').trim();
  return YES.has(word) ? true : NO.has(word) ? false : null;
}

/** What an answer begins with: models like to explain themselves after it. */
function firstVerdict(text: string): boolean | null {
  return verdictOf(text) ?? verdictOf(text.split(/[\s.,!。，！:：]/u, 1)[0]);
}

/** Words that both have, as often as both have them. */
function common(truth: readonly string[], answer: readonly string[]): number {
  const left = new Map<string, number>();
  for (const word of truth) left.set(word, (left.get(word) ?? 0) + 1);
  let count = 0;
  for (const word of answer) {
    const times = left.get(word) ?? 0;
    if (times === 0) continue;
    left.set(word, times - 1);
    count++;
  }
  return count;
}

/** F1 of `shared` among both lengths; two empty lists agree. */
function harmonic(shared: number, truth: number, answer: number): number {
  if (truth + answer === 0) return 1;
  return (2 * shared) / (truth + answer);
}

function longestCommon(a: readonly string[], b: readonly string[]): number {
  let before = new Uint32Array(b.length + 1);
  for (const word of a) {
    const row = new Uint32Array(b.length + 1);
    for (let j = 0; j < b.length; j++) row[j + 1] = word === b[j] ? before[j] + 1 : Math.max(before[j + 1], row[j]);
    before = row;
  }
  return before[b.length];
}

/** Least number of insertions, deletions and replacements that make one list of the other. */
export function editDistance(a: readonly string[], b: readonly string[]): number {
  let before = Uint32Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const row = new Uint32Array(b.length + 1);
    row[0] = i + 1;
    for (let j = 0; j < b.length; j++) row[j + 1] = Math.min(before[j + 1] + 1, row[j] + 1, before[j] + Number(a[i] !== b[j]));
    before = row;
  }
  return before[b.length];
}
