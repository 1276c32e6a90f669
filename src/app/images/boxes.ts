/** Geometry of labelled boxes for drawing and for counting what was found. Pure. */
import type { LabelledBox } from '../../protocol/messages.ts';

type Box = LabelledBox['box'];

/** Intersection over union of two boxes in the same units; 0 for empty boxes. */
export function intersectionOverUnion(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  const area = (box: Box) => Math.max(0, box[2] - box[0]) * Math.max(0, box[3] - box[1]);
  return shared / (area(a) + area(b) - shared);
}

/** How many true boxes have a predicted box of their own with at least half overlap; best overlaps are matched first. */
export function countFound(truth: readonly LabelledBox[], answer: readonly LabelledBox[]): number {
  const pairs = truth
    .flatMap((one, i) => answer.map((other, j) => ({ i, j, overlap: intersectionOverUnion(one.box, other.box) })))
    .filter((pair) => pair.overlap >= 0.5)
    .sort((a, b) => b.overlap - a.overlap);
  const usedTruth = new Set<number>();
  const usedAnswer = new Set<number>();
  for (const { i, j } of pairs) {
    if (usedTruth.has(i) || usedAnswer.has(j)) continue;
    usedTruth.add(i);
    usedAnswer.add(j);
  }
  return usedTruth.size;
}

/** CSS percentages of a box in thousandths, cut to the image. */
export function boxStyle(box: Box): string {
  const clamp = (value: number) => Math.min(1000, Math.max(0, value)) / 10;
  const left = clamp(Math.min(box[0], box[2]));
  const top = clamp(Math.min(box[1], box[3]));
  const width = clamp(Math.max(box[0], box[2])) - left;
  const height = clamp(Math.max(box[1], box[3])) - top;
  return `left:${left}%;top:${top}%;width:${width}%;height:${height}%`;
}
