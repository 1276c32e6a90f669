/** Everything that is measured of one model's answers to a set. */
import { answerText } from '../text-metrics.ts';
import { behaviourFigures, type Figures } from './behaviour-figures.ts';
import { IOU_THRESHOLDS } from './coco-matching.ts';
import { confusionMatrix, type Confusion } from './confusion.ts';
import { detectionFigures, type DetectionFigures } from './detection-figures.ts';
import { faultsOf, qualityOf, sizeOf, type Fault, type ObjectSize } from './faults.ts';
import { classKey, languageOf, readSample, type GivenAnswer, type ReadSample, type TrueSample } from './read-sample.ts';
import { mean, percentile, once, type Statistic } from './statistic.ts';
import { textFigures } from './text-figures.ts';

export interface SampleResult {
  /** 0 to 1; null without truth. */
  quality: number | null;
  faults: Fault[];
  /** Classes of its truth and of its answer, as `classKey` has them. */
  classes: string[];
  /** Sizes of its true objects. */
  sizes: ObjectSize[];
}

/** What could not be measured as usual, and how often. */
export interface SetCounts {
  samples: number;
  withoutTruth: number;
  /** Answers, to samples with truth, in which nothing can be read; none where the set is plain text. */
  unreadable: number;
  /** Classes that no truth has, with the number of boxes that answers give them. */
  onlyPredicted: { name: string; predictions: number }[];
}

export interface Evaluation {
  counts: SetCounts;
  /** Null where no truth speaks of objects. */
  detection: DetectionFigures | null;
  confusion: Confusion | null;
  /** Those figures that have a meaning for the set; each may still find nothing to measure. */
  figures: Figures;
  samples: SampleResult[];
}

const at = (threshold: number): number => IOU_THRESHOLDS.indexOf(threshold);

/**
 * @param truths of the set
 * @param answers of one model, one a sample
 */
export function evaluate(truths: readonly TrueSample[], answers: readonly GivenAnswer[]): Evaluation {
  const language = languageOf(truths.map(({ truth }) => truth));
  const read = truths.map((sample, i) => readSample(sample, answers[i], language));
  const pairs = truths.map(({ truth }, i) => ({ truth, answer: answers[i].text }));
  const known = read.filter(({ expected }) => expected !== null);
  const detection = language.detects ? detectionFigures(read) : null;
  return {
    counts: {
      samples: read.length,
      withoutTruth: read.length - known.length,
      unreadable: language.detects ? known.filter(({ given }) => !given.readable).length : 0,
      onlyPredicted: (detection?.classes ?? []).filter(({ truths: count }) => count === 0).map(({ name, predictions }) => ({ name, predictions })),
    },
    detection,
    confusion: language.detects ? confusionMatrix(read) : null,
    figures: { ...(detection && { ...headlines(detection), ...behaviourFigures(read) }), ...textFigures(pairs), ...effort(answers) },
    samples: read.map((sample, i) => resultOf(sample, language.detects, { truth: answerText(pairs[i].truth), answer: answerText(pairs[i].answer) })),
  };
}

function headlines({ overall, averaged }: DetectionFigures): Figures {
  const { precision, recall, f1 } = overall[at(0.5)];
  return { ap50: overall[at(0.5)].ap, ap75: overall[at(0.75)].ap, map50_95: averaged, precision, recall, f1_score: f1 };
}

function effort(answers: readonly GivenAnswer[]): Figures {
  const milliseconds = answers.map(({ seconds }) => seconds * 1000);
  return {
    avg_response_tokens: mean(answers.map(({ tokens }) => tokens)),
    latency_ms_mean: mean(milliseconds),
    latency_ms_p50: percentile(milliseconds, 0.5),
    latency_ms_p95: percentile(milliseconds, 0.95),
  };
}

function resultOf(sample: ReadSample, detects: boolean, texts: { truth: string; answer: string }): SampleResult {
  const expected = sample.expected?.objects ?? [];
  return {
    quality: qualityOf(sample, detects, texts),
    faults: faultsOf(sample, detects, texts),
    classes: [...new Set([...expected, ...sample.given.objects].map(({ category }) => classKey(category)))],
    sizes: [...new Set(expected.map(sizeOf))],
  };
}

/** A figure over the set as it is. */
export function valueOf(statistic: Statistic | undefined, samples: number): number | null {
  return statistic?.(once(samples)) ?? null;
}
