/** What exports of annotation tools come to, whatever their format: images with labelled boxes. */
import type { Box } from '../../objectives/detection-answer.ts';
import type { ImageSize } from '../../processing/smart-resize.ts';
import type { ErrorPlace } from '../../protocol/errors.ts';
import type { ProblemList } from '../problems.ts';
import type { Split } from '../split-names.ts';

export const ANNOTATION_FORMATS = ['COCO', 'Pascal VOC', 'YOLO', 'Label Studio', 'Hugging Face', 'class folders'] as const;
export type AnnotationFormat = (typeof ANNOTATION_FORMATS)[number];

export interface AnnotatedObject {
  label: string;
  /** Corners as shares of the image's width and height, unless the image says otherwise. */
  box: Box;
}

export interface AnnotatedImage {
  /** As the file gives it. */
  name: string;
  /** Size of the image that was annotated; null where the format does not tell. */
  size: ImageSize | null;
  objects: AnnotatedObject[];
  /** Boxes are pixels of the stored image, not shares of its width and height. */
  inPixels?: true;
  /** Words that were chosen or written for the image as a whole. */
  text?: string;
  place: ErrorPlace;
}

/** The images of one file, or of one folder of small files. */
export interface AnnotationSet {
  format: AnnotationFormat;
  /** Path of the file; for folders a path in it. */
  path: string;
  images: AnnotatedImage[];
  /** Where the format itself says what they are for. */
  split?: Split;
  /** Images left out because of an error. */
  rejected: number;
}

/** Shares are written with six digits or so: what lies less over the edge was not drawn there. */
const WRITTEN = 1e-5;
/** Just above a thousandth: apart by so much, two sides are never rounded to the same one. */
const THIN = 1.001 / 1000;

/** Makes shares of corners, and counts what happens to many boxes alike. */
export class BoxTally {
  private clipped = 0;
  private thin = 0;
  private readonly leftOut = new Map<string, number>();

  /** Counts an object that is no box: crowds, outlines, points. */
  leaveOut(what: string): void {
    this.leftOut.set(what, (this.leftOut.get(what) ?? 0) + 1);
  }

  /**
   * @param corners x1, y1, x2, y2 in pixels of an image of this size
   * @returns null for a box without area inside the image
   */
  shares(corners: readonly number[], { width, height }: ImageSize): Box | null {
    const whole = corners.map((x, i) => x / (i % 2 === 0 ? width : height));
    const box = whole.map((x) => Math.min(1, Math.max(0, x)));
    if (!box.every(Number.isFinite) || box[2] <= box[0] || box[3] <= box[1]) return null;
    if (whole.some((x, i) => Math.abs(x - box[i]) > WRITTEN)) this.clipped++;
    return this.widened(box);
  }

  report(file: string, problems: ProblemList): void {
    const place = { file };
    for (const [what, count] of this.leftOut) problems.warning(`${count} ${what} were left out.`, 'Only boxes are turned into answers: draw boxes, or go without these.', place);
    if (this.clipped > 0) problems.warning(`${this.clipped} boxes reached over the edge of their images and were cut there.`, 'Check in the preview that they are right.', place);
    if (this.thin > 0) problems.warning(`${this.thin} boxes are thinner than a thousandth of their image and were widened to it.`, 'Check whether such small objects can be seen at the size the model sees.', place);
  }

  private widened(box: number[]): Box {
    let changed = false;
    for (const [low, high] of [[0, 2], [1, 3]]) {
      if (box[high] - box[low] >= THIN) continue;
      changed = true;
      box[low] = Math.min(box[low], 1 - THIN);
      box[high] = box[low] + THIN;
    }
    if (changed) this.thin++;
    return box as Box;
  }
}
