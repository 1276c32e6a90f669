/** A sample of a set with one model's answer to it, read into what the metrics count. */
import { type CategoryNames, type DetectedObject, parseAnswer, pixelsToThousandths } from '../detection-answer.ts';
import { isAnomalous, type RewardObject } from '../rewards/reward-object.ts';
import { saysNothingFound } from '../rewards/read-answer.ts';
import { boxScores, type AnswerTokens } from './box-score.ts';

/** What is asked, and what is right. */
export interface TrueSample {
  /** Empty where the data knows no answer. */
  truth: string;
  /** Given where boxes are in pixels of the image as the model sees it; without it they are thousandths. */
  pixelsOf?: { width: number; height: number };
}

/** What a model answered. */
export interface GivenAnswer {
  text: string;
  tokens: number;
  /** Time that the answer was in work. */
  seconds: number;
  /** Null where nothing is known of the tokens' probabilities. */
  certainty: AnswerTokens | null;
}

export interface ScoredObject extends RewardObject {
  /** 0 to 1; of a true object 1. */
  score: number;
}

export interface ReadSample {
  /** Null where the data knows no answer: then nothing but the answer itself can be counted. */
  expected: { objects: ScoredObject[]; givesStatus: boolean } | null;
  given: {
    objects: ScoredObject[];
    saysNone: boolean;
    /** Objects, or the word that there are none. */
    readable: boolean;
    /** Flawless in a format that the truths have. */
    strict: boolean;
  };
}

/** What names and formats a set has, taken from its truths. */
export interface SetLanguage {
  names: CategoryNames;
  formats: ReadonlySet<string | null>;
  /** Whether any truth speaks of objects: without, answers are plain text. */
  detects: boolean;
}

/** @param truths of all samples */
export function languageOf(truths: readonly string[]): SetLanguage {
  const read = truths.filter((truth) => truth !== '').map((truth) => ({ ...parseAnswer(truth), none: saysNothingFound(truth) }));
  const names = new Map<string, string>();
  for (const { objects } of read) for (const { category } of objects) if (category !== '' && !names.has(category)) names.set(category, category);
  const formats = new Set<string | null>(read.map(({ format }) => format));
  // The sentence for "nothing found" belongs to both list formats.
  if (formats.has('lines') || formats.has('inline')) formats.add(null);
  return { names, formats, detects: read.some(({ objects, none }) => objects.length > 0 || none) };
}

/** Classes are the same whatever their letters' case and the spaces around them. */
export const classKey = (category: string): string => category.normalize('NFKC').trim().toLowerCase();

export function readSample({ truth, pixelsOf }: TrueSample, { text, certainty }: GivenAnswer, { names, formats }: SetLanguage): ReadSample {
  const answer = parseAnswer(text, names);
  const scores = boxScores(text, answer.objects.map(({ box }) => box), certainty);
  const none = answer.objects.length === 0 && (answer.saysNone || saysNothingFound(text));
  const expected = truth === '' ? null : parseAnswer(truth).objects;
  const object = ({ category, status, box, confidence }: DetectedObject, score: number): ScoredObject => ({
    category: category.trim(),
    status,
    anomalous: isAnomalous(status),
    box: pixelsOf ? pixelsToThousandths(box, pixelsOf) : box,
    score: confidence ?? score,
  });
  return {
    expected: expected && { objects: expected.map((one) => object(one, 1)), givesStatus: expected.some(({ status }) => status !== '') },
    given: {
      objects: answer.objects.map((one, i) => object(one, scores[i])),
      saysNone: none,
      readable: answer.objects.length > 0 || none,
      strict: answer.wellFormed && formats.has(answer.format),
    },
  };
}
