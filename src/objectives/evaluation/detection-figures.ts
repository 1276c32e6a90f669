/** AP, precision, recall and F1 of detections, over all classes and class by class. */
import { averagePrecision, matchClass, meanOf, type MatchedClass } from './average-precision.ts';
import { IOU_THRESHOLDS } from './coco-matching.ts';
import { classKey, type ReadSample, type ScoredObject } from './read-sample.ts';
import { ratio, type Statistic } from './statistic.ts';

/** A class at one threshold of IoU. */
export interface AtThreshold {
  ap: Statistic;
  precision: Statistic;
  recall: Statistic;
  f1: Statistic;
  matched: MatchedClass;
}

export interface ClassFigures {
  /** As the first truth spells it, or the first answer where no truth has it. */
  name: string;
  truths: number;
  predictions: number;
  /** By threshold, in the order of IOU_THRESHOLDS. */
  at: AtThreshold[];
}

/** All classes together at one threshold: AP is the mean over classes with truth, the others count all boxes alike. */
export interface OverallFigures {
  ap: Statistic;
  precision: Statistic;
  recall: Statistic;
  f1: Statistic;
  hits: number;
  truths: number;
  predictions: number;
  /** Of all hits. */
  overlaps: number[];
}

export interface DetectionFigures {
  /** By name. */
  classes: ClassFigures[];
  /** In the order of IOU_THRESHOLDS. */
  overall: OverallFigures[];
  /** Mean AP over the ten thresholds. */
  averaged: Statistic;
}

/** Samples without truth take no part: their predictions are neither right nor wrong. */
export function detectionFigures(samples: readonly ReadSample[]): DetectionFigures {
  const keys = new Map<string, string>();
  const see = (objects: readonly ScoredObject[]) => {
    for (const { category } of objects) if (!keys.has(classKey(category))) keys.set(classKey(category), category);
  };
  for (const { expected } of samples) see(expected?.objects ?? []);
  for (const { expected, given } of samples) if (expected) see(given.objects);

  const classes = [...keys].map(([key, name]): ClassFigures => {
    const of = (objects: readonly ScoredObject[]) => objects.filter(({ category }) => classKey(category) === key);
    const images = samples.map(({ expected, given }) => (expected ? { truths: of(expected.objects).map(({ box }) => box), predictions: of(given.objects) } : { truths: [], predictions: [] }));
    const at = IOU_THRESHOLDS.map((threshold) => {
      const matched = matchClass(images, threshold);
      return { matched, ap: averagePrecision(matched), ...shares([matched]) };
    });
    return { name, truths: total(at[0].matched.truthCount), predictions: total(at[0].matched.predictionCount), at };
  });
  classes.sort((a, b) => a.name.localeCompare(b.name));

  const overall = IOU_THRESHOLDS.map((_, t): OverallFigures => {
    const matched = classes.map(({ at }) => at[t].matched);
    const sum = (count: (one: MatchedClass) => Float64Array) => matched.reduce((all, one) => all + total(count(one)), 0);
    return {
      ap: meanOf(classes.map(({ at }) => at[t].ap)),
      ...shares(matched, samples.length),
      hits: sum(({ hitCount }) => hitCount),
      truths: sum(({ truthCount }) => truthCount),
      predictions: sum(({ predictionCount }) => predictionCount),
      overlaps: matched.flatMap(({ overlaps, hits }) => [...overlaps].filter((_, i) => hits[i] === 1)),
    };
  });
  return { classes, overall, averaged: meanOf(overall.map(({ ap }) => ap)) };
}

function shares(matched: readonly MatchedClass[], images = matched[0].truthCount.length): Pick<AtThreshold, 'precision' | 'recall' | 'f1'> {
  const sum = (count: (one: MatchedClass) => Float64Array) => Float64Array.from({ length: images }, (_, i) => matched.reduce((all, one) => all + count(one)[i], 0));
  const hits = sum(({ hitCount }) => hitCount);
  const truths = sum(({ truthCount }) => truthCount);
  const predictions = sum(({ predictionCount }) => predictionCount);
  return {
    precision: ratio(hits, predictions),
    recall: ratio(hits, truths),
    f1: ratio(hits.map((value) => 2 * value), truths.map((value, i) => value + predictions[i])),
  };
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
