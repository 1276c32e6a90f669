/** YOLO: one text file an image, a line an object: class, then centre and size, or an outline, as shares of the image. */
import { type ErrorPlace, LorikeetError } from '../../protocol/errors.ts';
import type { AnnotatedObject, BoxTally } from './annotated-image.ts';

const LINE = /^\d+(?:\s+-?\d+(?:\.\d+)?(?:e-?\d+)?){4,}$/i;
const WHOLE = { width: 1, height: 1 };

/** Whether every line of a text is one of this format's; an empty file says that nothing is in the image. */
export function isYolo(text: string): boolean {
  return linesOf(text).every(({ content }) => LINE.test(content));
}

/**
 * Objects of one image.
 * @throws LorikeetError "dataset" with the line: a class without a name, a box without area inside the image
 */
export function readYolo(text: string, names: ReadonlyMap<number, string>, place: ErrorPlace, tally: BoxTally): AnnotatedObject[] {
  return linesOf(text).map(({ content, line }) => {
    const fail = (message: string, advice: string, field: string) => new LorikeetError('dataset', message, advice, { ...place, line, field });
    const [index, ...numbers] = content.split(/\s+/).map(Number);
    const label = names.get(index);
    if (label === undefined) throw fail(`Class ${index} has no name.`, 'Drop the data.yaml or classes.txt that belongs to these labels.', 'class');
    const box = tally.shares(numbers.length > 5 ? around(numbers) : corners(numbers), WHOLE);
    if (!box) throw fail(`The box ${numbers.slice(0, 4).join(' ')} has no area inside its image.`, 'YOLO boxes are centre and size, as shares of the image from 0 to 1.', 'box');
    return { label, box };
  });
}

/** A fifth number is how sure a model was. */
function corners([x, y, width, height]: readonly number[]): number[] {
  return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
}

/** The upright box around an outline. */
function around(points: readonly number[]): number[] {
  const along = (offset: number) => points.filter((_, i) => i % 2 === offset && i - offset + 1 < points.length);
  const ends = (values: readonly number[]) => [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  const [[x1, x2], [y1, y2]] = [ends(along(0)), ends(along(1))];
  return [x1, y1, x2, y2];
}

function linesOf(text: string): { content: string; line: number }[] {
  return text.split('\n').flatMap((content, i) => (content.trim() === '' ? [] : [{ content: content.trim(), line: i + 1 }]));
}
