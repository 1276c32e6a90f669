/**
 * Average precision as COCO computes it: predictions of all images by score, precision made monotone from the right, and
 * read at the 101 recalls 0, 0.01, …, 1. After the definition of the COCO detection challenge (cocodataset.org).
 */
import { boxIou } from '../detection.ts';
import type { Box } from '../detection-answer.ts';
import { byScore, matchByScore, type ScoredBox } from './coco-matching.ts';
import type { Statistic } from './statistic.ts';

/** One class in one image. */
export interface ClassInImage {
  truths: readonly Box[];
  predictions: readonly ScoredBox[];
}

/** A class over all images, matched at one threshold; predictions by falling score, those of equal score by image. */
export interface MatchedClass {
  /** Image of each prediction. */
  images: Int32Array;
  /** 1 where the prediction found a true box. */
  hits: Uint8Array;
  /** How much each hit overlaps its true box; 0 for the others. */
  overlaps: Float64Array;
  /** Per image. */
  truthCount: Float64Array;
  hitCount: Float64Array;
  predictionCount: Float64Array;
}

const RECALLS = 101;
/** Multiplied, not divided: so the recalls have the last bits that NumPy gives them, and exact hits count as they do there. */
const RECALL_STEP = 0.01;

/** @param images the class in each image of the set */
export function matchClass(images: readonly ClassInImage[], threshold: number): MatchedClass {
  const all = images.flatMap(({ truths, predictions }, image) => {
    const sorted = byScore(predictions);
    const found = matchByScore(truths, sorted, threshold);
    return sorted.map(({ score }, i) => ({ score, image, hit: Number(found[i] >= 0), overlap: found[i] < 0 ? 0 : boxIou(truths[found[i]], sorted[i].box) }));
  });
  all.sort((a, b) => b.score - a.score);
  const hitCount = new Float64Array(images.length);
  const predictionCount = new Float64Array(images.length);
  for (const { image, hit } of all) {
    hitCount[image] += hit;
    predictionCount[image]++;
  }
  return {
    images: Int32Array.from(all, ({ image }) => image),
    hits: Uint8Array.from(all, ({ hit }) => hit),
    overlaps: Float64Array.from(all, ({ overlap }) => overlap),
    truthCount: Float64Array.from(images, ({ truths }) => truths.length),
    hitCount,
    predictionCount,
  };
}

/** AP of a class, 0 to 1; null where the images counted hold none of it. */
export function averagePrecision({ images, hits, truthCount }: MatchedClass): Statistic {
  const precision = new Float64Array(images.length);
  const recall = new Float64Array(images.length);
  return (weights) => {
    let truths = 0;
    for (let i = 0; i < weights.length; i++) truths += weights[i] * truthCount[i];
    if (truths === 0) return null;
    let right = 0;
    let all = 0;
    let count = 0;
    for (let i = 0; i < images.length; i++) {
      const weight = weights[images[i]];
      if (weight === 0) continue;
      all += weight;
      right += weight * hits[i];
      precision[count] = right / all;
      recall[count++] = right / truths;
    }
    for (let i = count - 1; i > 0; i--) if (precision[i] > precision[i - 1]) precision[i - 1] = precision[i];
    let sum = 0;
    for (let point = 0, at = 0; point < RECALLS; point++) {
      while (at < count && recall[at] < point * RECALL_STEP) at++;
      if (at === count) break;
      sum += precision[at];
    }
    return sum / RECALLS;
  };
}

/** Mean of those figures that there are: classes without truth do not count. */
export function meanOf(figures: readonly Statistic[]): Statistic {
  return (weights) => {
    const found = figures.map((figure) => figure(weights)).filter((value) => value !== null);
    return found.length === 0 ? null : found.reduce((sum, value) => sum + value, 0) / found.length;
  };
}
