/** Whether annotations and picture are of one size, and which way up the annotator saw it. */
import type { PictureFacts } from '../../processing/decode-image.ts';
import { liesOnItsSide } from '../../processing/orientation.ts';
import type { ImageSize } from '../../processing/smart-resize.ts';
import { fault } from '../record-fault.ts';

/**
 * Annotation tools turn pictures as EXIF says. A size that is the stored one, not the upright one, tells of a tool that
 * did not: then boxes would have to be turned, and that is refused rather than guessed.
 * @throws LorikeetError "dataset", field "size"
 */
export function checkFit(annotated: ImageSize, facts: PictureFacts, path: string): void {
  const { width, height, orientation } = facts;
  if (annotated.width === width && annotated.height === height) return;
  if (liesOnItsSide(orientation) && annotated.width === height && annotated.height === width) {
    throw fault(
      `The annotations are for the picture as it is stored, ${height} × ${width}, but ${path} notes that it is to be turned to ${width} × ${height}.`,
      'Save the picture without its orientation (upright as it was annotated), or annotate it upright.',
      'size',
    );
  }
  throw fault(`The annotations are for a picture of ${annotated.width} × ${annotated.height}, ${path} has ${width} × ${height}.`, 'Drop the pictures that were annotated.', 'size');
}
