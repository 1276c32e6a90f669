/** Detection metrics of validation answers against the ground truth. */
import { type Box, type CategoryNames, type DetectedObject, parseAnswer, type ParsedAnswer } from './detection-answer.ts';

export { extractBoxes, imageSizeOf, parseAnswer } from './detection-answer.ts';

/** Shares between 0 and 1. A metric without anything to measure is left out. */
export interface DetectionMetrics {
  /** Answers that are flawless in a format of the ground truth and name only its categories. */
  format: number;
  /** Best IoU over the answer's boxes, averaged over all true objects. */
  bbox_iou?: number;
  /** True objects whose best IoU is at least 0.5. */
  bbox_iou50?: number;
  /** True objects whose best-IoU prediction has the right category. */
  category?: number;
  /** … and the right status as well. */
  status?: number;
  /** min(predicted / true, 1) per image, averaged; an image without objects counts 1 if nothing was predicted, else 0. */
  completeness: number;
  /** Answers with the right number of objects. */
  count: number;
  /** One-to-one matches (IoU ≥ 0.5, same category) among all predictions / all true objects of all images. */
  precision: number;
  recall: number;
  f1: number;
  /** Images without objects whose answer says so in a valid format. */
  empty?: number;
}

export interface AnswerPair {
  /** Ground truth: the assistant's text of the dataset. */
  truth: string;
  /** What the model said. */
  answer: string;
}

/** What category names are known besides those in the given truths. */
export interface CategoryOptions {
  /** Categories of the whole dataset, when `pairs` is only a part of it. */
  categories?: Iterable<string>;
  /** Other names for categories, e.g. translations: name -> category. */
  aliases?: CategoryNames;
}

const MATCH_IOU = 0.5;

/** Intersection over union; 0 for boxes that do not overlap or have no area. */
export function boxIou(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const intersection = Math.max(0, width) * Math.max(0, height);
  const union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection;
  return intersection > 0 && union > 0 ? intersection / union : 0;
}

/** Categories that occur in ground-truth texts. */
export function categoriesOf(truths: Iterable<string>): Set<string> {
  const categories = new Set<string>();
  for (const truth of truths) for (const object of parseAnswer(truth).objects) if (object.category) categories.add(object.category);
  return categories;
}

/**
 * Metrics over all pairs; null when the ground truth holds no detections at all (nothing here applies then).
 * The formulas are those of the reference fine-tuning; precision, recall and F1 count over all images together.
 */
export function detectionMetrics(pairs: readonly AnswerPair[], { categories = [], aliases = new Map() }: CategoryOptions = {}): DetectionMetrics | null {
  const truths = pairs.map((pair) => parseAnswer(pair.truth));
  if (!truths.some((truth) => truth.objects.length > 0 || truth.saysNone)) return null;
  const known = new Set([...categories, ...categoriesOf(pairs.map((pair) => pair.truth))]);
  const names = new Map([...[...known].map((name) => [name, name] as const), ...aliases]);
  const formats = new Set(truths.map((truth) => truth.format));
  // The sentence for "nothing found" (format null) belongs to both list formats.
  if (formats.has('lines') || formats.has('inline')) formats.add(null);
  const isValid = (answer: ParsedAnswer) => answer.wellFormed && formats.has(answer.format) && answer.objects.every((object) => known.has(object.category));

  const valid: boolean[] = [];
  const complete: number[] = [];
  const counted: boolean[] = [];
  const empty: boolean[] = [];
  const best: BestMatch[] = [];
  let matched = 0;
  let predictedTotal = 0;
  let trueTotal = 0;
  pairs.forEach((pair, i) => {
    const answer = parseAnswer(pair.answer, names);
    const predicted = answer.objects;
    const expected = truths[i].objects;
    valid.push(isValid(answer));
    counted.push(predicted.length === expected.length);
    complete.push(expected.length === 0 ? Number(predicted.length === 0) : Math.min(predicted.length / expected.length, 1));
    if (expected.length === 0) empty.push(isValid(answer) && predicted.length === 0);
    for (const object of expected) best.push(bestMatch(object, predicted));
    matched += matchOneToOne(expected, predicted);
    predictedTotal += predicted.length;
    trueTotal += expected.length;
  });

  return {
    format: mean(valid),
    ...(best.length > 0 && {
      bbox_iou: mean(best.map((match) => match.iou)),
      bbox_iou50: mean(best.map((match) => match.iou >= MATCH_IOU)),
      category: mean(best.map((match) => match.category)),
      status: mean(best.map((match) => match.status)),
    }),
    completeness: mean(complete),
    count: mean(counted),
    ...precisionRecall(matched, predictedTotal, trueTotal),
    ...(empty.length > 0 && { empty: mean(empty) }),
  };
}

export interface BestMatch {
  iou: number;
  category: boolean;
  status: boolean;
}

/** The first prediction with the highest IoU decides about category and status; without overlap both are wrong. */
export function bestMatch(object: DetectedObject, predicted: readonly DetectedObject[]): BestMatch {
  let iou = 0;
  let best: DetectedObject | null = null;
  for (const candidate of predicted) {
    const overlap = boxIou(candidate.box, object.box);
    if (overlap > iou) {
      iou = overlap;
      best = candidate;
    }
  }
  const category = best !== null && best.category === object.category;
  return { iou, category, status: category && best!.status === object.status };
}

/** Greedy by IoU: number of pairs with IoU ≥ 0.5 and equal category, each object used once. */
function matchOneToOne(expected: readonly DetectedObject[], predicted: readonly DetectedObject[]): number {
  const candidates: { iou: number; e: number; p: number }[] = [];
  expected.forEach((object, e) =>
    predicted.forEach((guess, p) => {
      const iou = guess.category === object.category ? boxIou(guess.box, object.box) : 0;
      if (iou >= MATCH_IOU) candidates.push({ iou, e, p });
    }),
  );
  candidates.sort((a, b) => b.iou - a.iou);
  const usedExpected = new Set<number>();
  const usedPredicted = new Set<number>();
  for (const { e, p } of candidates) {
    if (usedExpected.has(e) || usedPredicted.has(p)) continue;
    usedExpected.add(e);
    usedPredicted.add(p);
  }
  return usedExpected.size;
}

/** Nothing predicted where nothing is to be found is perfect. */
function precisionRecall(matched: number, predicted: number, expected: number): { precision: number; recall: number; f1: number } {
  if (predicted + expected === 0) return { precision: 1, recall: 1, f1: 1 };
  return {
    precision: predicted === 0 ? 0 : matched / predicted,
    recall: expected === 0 ? 0 : matched / expected,
    f1: (2 * matched) / (predicted + expected),
  };
}

function mean(values: readonly (number | boolean)[]): number {
  let sum = 0;
  for (const value of values) sum += Number(value);
  return sum / values.length;
}
