/** What is wrong with an answer, and how wrong it is, so that the worst can be looked at first. */
import { matchOneToOne } from '../rewards/matching.ts';
import { rougeL } from '../text-metrics.ts';
import { IOU_THRESHOLDS, byScore, matchByScore } from './coco-matching.ts';
import { classKey, type ReadSample, type ScoredObject } from './read-sample.ts';

/**
 * unreadable: neither objects nor the word that there are none · missed: a true object that no box covers · invented: a box
 * where nothing is · class: a box in the right place with the wrong class · place: a box that overlaps its object by less
 * than half · status: the right object in the wrong state · text: plain text that differs
 */
export const FAULTS = ['unreadable', 'missed', 'invented', 'class', 'place', 'status', 'text'] as const;
export type Fault = (typeof FAULTS)[number];

/** Boxes that overlap less than this have nothing to do with each other. */
const TOUCHING = 0.1;
const MATCHED = 0.5;

/** Faults of one answer; none where there is no truth. */
export function faultsOf({ expected, given }: ReadSample, detects: boolean, texts: { truth: string; answer: string }): Fault[] {
  if (!expected) return [];
  if (!detects) return texts.truth === texts.answer ? [] : ['text'];
  const found = new Set<Fault>();
  if (!given.readable) found.add('unreadable');
  const pairs = matchOneToOne(expected.objects, given.objects, TOUCHING);
  const matched = new Set<unknown>(pairs.flatMap(({ truth, given: object }) => [truth, object]));
  if (expected.objects.some((truth) => !matched.has(truth))) found.add('missed');
  if (given.objects.some((object) => !matched.has(object))) found.add('invented');
  for (const { truth, given: object, iou } of pairs) {
    if (iou < MATCHED) found.add('place');
    if (classKey(truth.category) !== classKey(object.category)) found.add('class');
    else if (truth.status !== object.status) found.add('status');
  }
  return FAULTS.filter((fault) => found.has(fault));
}

/**
 * How good an answer is, 0 to 1: of detections its F1 averaged over the ten thresholds of IoU, of plain text ROUGE-L.
 * @returns null without truth
 */
export function qualityOf({ expected, given }: ReadSample, detects: boolean, texts: { truth: string; answer: string }): number | null {
  if (!expected) return null;
  if (!detects) return rougeL(texts.truth, texts.answer);
  const all = expected.objects.length + given.objects.length;
  if (all === 0) return given.saysNone ? 1 : 0;
  const f1 = IOU_THRESHOLDS.map((threshold) => (2 * hits(expected.objects, given.objects, threshold)) / all);
  return f1.reduce((sum, value) => sum + value, 0) / f1.length;
}

function hits(truths: readonly ScoredObject[], predictions: readonly ScoredObject[], threshold: number): number {
  let count = 0;
  for (const key of new Set(truths.map(({ category }) => classKey(category)))) {
    const of = (objects: readonly ScoredObject[]) => objects.filter(({ category }) => classKey(category) === key);
    count += matchByScore(of(truths).map(({ box }) => box), byScore(of(predictions)), threshold).filter((at) => at >= 0).length;
  }
  return count;
}

/** Shares of the image's area up to which an object is small, and medium. */
const SMALL = 0.01;
const MEDIUM = 0.1;

export const SIZES = ['small', 'medium', 'large'] as const;
export type ObjectSize = (typeof SIZES)[number];

/** By the area of a box in thousandths: below 1 % of the image, below 10 %, or more. */
export function sizeOf({ box }: Pick<ScoredObject, 'box'>): ObjectSize {
  const [x1, y1, x2, y2] = box;
  const share = (Math.max(0, x2 - x1) * Math.max(0, y2 - y1)) / 1e6;
  return share < SMALL ? 'small' : share < MEDIUM ? 'medium' : 'large';
}
