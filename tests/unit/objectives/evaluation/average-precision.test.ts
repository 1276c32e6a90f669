/** AP against values that others have published for the same boxes. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { averagePrecision, matchClass, meanOf, type ClassInImage } from '../../../../src/objectives/evaluation/average-precision.ts';
import { IOU_THRESHOLDS } from '../../../../src/objectives/evaluation/coco-matching.ts';
import { once } from '../../../../src/objectives/evaluation/statistic.ts';
import type { Box } from '../../../../src/objectives/detection-answer.ts';

interface Scene {
  truths: { label: number; box: Box }[];
  predictions: { label: number; box: Box; score: number }[];
}

function measure(scenes: readonly Scene[]): { map: number | null; ap50: number | null; ap75: number | null; classes: Record<number, number | null> } {
  const labels = [...new Set(scenes.flatMap(({ truths, predictions }) => [...truths, ...predictions].map(({ label }) => label)))].sort((a, b) => a - b);
  const all = once(scenes.length);
  const ofClass = (label: number): ClassInImage[] => scenes.map(({ truths, predictions }) => ({ truths: truths.filter((one) => one.label === label).map(({ box }) => box), predictions: predictions.filter((one) => one.label === label) }));
  const at = (threshold: number) => labels.map((label) => averagePrecision(matchClass(ofClass(label), threshold)));
  const byThreshold = IOU_THRESHOLDS.map(at);
  return {
    map: meanOf(byThreshold.map(meanOf))(all),
    ap50: meanOf(byThreshold[0])(all),
    ap75: meanOf(byThreshold[5])(all),
    classes: Object.fromEntries(labels.map((label, i) => [label, meanOf(byThreshold.map((classes) => classes[i]))(all)])),
  };
}

const corners = ([x, y, width, height]: readonly number[]): Box => [x, y, x + width, y + height];

/** 100 images of COCO's val2014 with COCO's own example detections; the values are those of COCO's own evaluation, as github.com/rafaelpadilla/review_object_detection_metrics (tests/test_coco_eval.py) has them. */
function cocoImages(): Scene[] {
  const path = fileURLToPath(new URL('../../../fixtures/evaluation/coco-100-images.json', import.meta.url));
  const { truths, detections } = JSON.parse(readFileSync(path, 'utf8')) as { truths: number[][]; detections: number[][] };
  const ids = [...new Set([...truths, ...detections].map(([image]) => image))].sort((a, b) => a - b);
  return ids.map((id) => ({
    truths: truths.filter(([image]) => image === id).map(([, label, ...box]) => ({ label, box: corners(box) })),
    predictions: detections.filter(([image]) => image === id).map(([, label, x, y, width, height, score]) => ({ label, box: corners([x, y, width, height]), score })),
  }));
}

/** Three images of the COCO evaluation test of torchmetrics (tests/unittests/detection/test_map.py); published per class with three digits. */
const THREE_IMAGES: Scene[] = [
  { predictions: [{ label: 4, score: 0.236, box: [258.15, 41.29, 606.41, 285.07] }], truths: [{ label: 4, box: [214.15, 41.29, 562.41, 285.07] }] },
  {
    predictions: [{ label: 3, score: 0.318, box: [61, 22.75, 565, 632.42] }, { label: 2, score: 0.726, box: [12.66, 3.32, 281.26, 275.23] }],
    truths: [{ label: 2, box: [13, 22.75, 548.98, 632.42] }, { label: 2, box: [1.66, 3.32, 270.26, 275.23] }],
  },
  {
    predictions: [
      { label: 4, score: 0.546, box: [87.87, 276.25, 384.29, 379.43] }, { label: 1, score: 0.3, box: [0, 3.66, 142.15, 316.06] },
      { label: 0, score: 0.407, box: [296.55, 93.96, 314.97, 152.79] }, { label: 0, score: 0.611, box: [328.94, 97.05, 342.49, 122.98] },
      { label: 0, score: 0.335, box: [356.62, 95.47, 372.33, 147.55] }, { label: 0, score: 0.805, box: [464.08, 105.09, 495.74, 146.99] },
      { label: 0, score: 0.953, box: [276.11, 103.84, 291.44, 150.72] },
    ],
    truths: [
      { label: 4, box: [61.87, 276.25, 358.29, 379.43] }, { label: 1, box: [2.75, 3.66, 162.15, 316.06] },
      { label: 0, box: [295.55, 93.96, 313.97, 152.79] }, { label: 0, box: [326.94, 97.05, 340.49, 122.98] },
      { label: 0, box: [356.62, 95.47, 372.33, 147.55] }, { label: 0, box: [462.08, 105.09, 493.74, 146.99] },
      { label: 0, box: [277.11, 103.84, 292.44, 150.72] },
    ],
  },
];

describe('average precision', () => {
  it('is that of COCO’s own evaluation on 100 of its images', () => {
    const { map, ap50, ap75 } = measure(cocoImages());
    expect(map).toBeCloseTo(0.503647, 6);
    expect(ap50).toBeCloseTo(0.696973, 6);
    expect(ap75).toBeCloseTo(0.571667, 6);
  });

  it('is that which torchmetrics publishes, class by class, and nothing for a class that only predictions have', () => {
    const { classes } = measure(THREE_IMAGES);
    const rounded = Object.fromEntries(Object.entries(classes).map(([label, value]) => [label, value === null ? null : Math.round(value * 1000) / 1000]));
    expect(rounded).toEqual({ 0: 0.725, 1: 0.8, 2: 0.454, 3: null, 4: 0.65 });
  });

  it('is nothing where nothing is true, and not nothing where nothing was predicted', () => {
    const box: Box = [0, 0, 10, 10];
    expect(measure([{ truths: [], predictions: [{ label: 0, box, score: 1 }] }])).toMatchObject({ map: null, ap50: null });
    expect(measure([{ truths: [{ label: 0, box }], predictions: [] }])).toMatchObject({ map: 0, ap50: 0 });
    // One hit of two true boxes is read at 51 of the 101 recalls.
    expect(measure([{ truths: [{ label: 0, box }, { label: 0, box: [20, 20, 30, 30] }], predictions: [{ label: 0, box, score: 1 }] }]).map).toBeCloseTo(51 / 101, 12);
  });

  it('counts an image as often as it is drawn', () => {
    const images = cocoImages().map(({ truths, predictions }): ClassInImage => ({ truths: truths.filter(({ label }) => label === 1).map(({ box }) => box), predictions: predictions.filter(({ label }) => label === 1) }));
    const weights = images.map((_, i) => i % 3);
    const drawn = images.flatMap((image, i) => Array.from({ length: weights[i] }, () => image));
    const weighted = averagePrecision(matchClass(images, 0.5))(weights);
    expect(weighted).toBeCloseTo(averagePrecision(matchClass(drawn, 0.5))(once(drawn.length))!, 2);
    expect(weighted).not.toBeCloseTo(averagePrecision(matchClass(images, 0.5))(once(images.length))!, 4);
  });
});
