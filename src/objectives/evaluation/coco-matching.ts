/** Which predictions of an image find which true boxes, as COCO's evaluation matches them. */
import { boxIou } from '../detection.ts';
import type { Box } from '../detection-answer.ts';

export interface ScoredBox {
  box: Box;
  /** The higher, the earlier it may choose. */
  score: number;
}

/** COCO counts so many predictions of an image and class, the best-scored ones. */
export const MAX_DETECTIONS = 100;

/** The ten thresholds of AP50–95. */
export const IOU_THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, i) => Number((0.5 + i * 0.05).toFixed(2)));

/** Best score first; equal scores in the order given. */
export function byScore<T extends { score: number }>(boxes: readonly T[]): T[] {
  return [...boxes].sort((a, b) => b.score - a.score).slice(0, MAX_DETECTIONS);
}

/**
 * Each prediction, best score first, takes the free true box that it overlaps most, if by at least the threshold; of
 * equal overlaps the later one.
 * @param sorted predictions of one class in one image, as `byScore` sorts them
 * @returns per prediction the position of its true box, −1 without
 */
export function matchByScore(truths: readonly Box[], sorted: readonly ScoredBox[], threshold: number): Int32Array {
  const taken = new Uint8Array(truths.length);
  return Int32Array.from(sorted, ({ box }) => {
    let best = Math.min(threshold, 1 - 1e-10);
    let found = -1;
    truths.forEach((truth, i) => {
      const overlap = taken[i] ? -1 : boxIou(truth, box);
      if (overlap < best) return;
      best = overlap;
      found = i;
    });
    if (found >= 0) taken[found] = 1;
    return found;
  });
}
