/**
 * Detection rows as Hugging Face's `datasets` has them: a picture and `objects` with `bbox` and `category`, in an imagefolder's
 * metadata.jsonl or in parquet (huggingface.co/docs/datasets/image_dataset, "Object detection").
 *
 * Boxes are pixels. Which ones is written nowhere: x, y, width, height as COCO has it and most sets do, or two corners.
 */
import type { ImageSize } from '../../processing/smart-resize.ts';
import { isBlank, isPlainObject } from '../media-reference.ts';
import { PICTURE_COLUMNS } from '../media-columns.ts';
import { fileKind } from '../paths.ts';
import type { ProblemList } from '../problems.ts';
import type { RawRecord } from '../records.ts';
import { type AnnotatedImage, type AnnotatedObject, type AnnotationSet, BoxTally } from './annotated-image.ts';

const LABEL_KEYS = ['category', 'categories', 'label', 'labels'];
const BOX_KEYS = ['bbox', 'bboxes', 'boxes'];
/** Pixels by which corners may lie over the edge of a picture because of rounding. */
const ROUNDING = 1;

type Columns = Readonly<Record<string, unknown>>;

/** One row's boxes and labels side by side, not yet looked at. */
interface Row {
  image: string;
  size: ImageSize | null;
  boxes: unknown[];
  labels: unknown[];
}

/**
 * Images with their boxes. A row with a faulty box is left out and named.
 * @returns null where records are no such rows, all of them; some may have no objects
 */
export function readDetectionRows(path: string, records: readonly RawRecord[], problems: ProblemList): AnnotationSet | null {
  const rows: Row[] = [];
  for (const { value } of records) {
    const row = isPlainObject(value) ? rowOf(value) : null;
    if (!row) return null;
    rows.push(row);
  }
  if (rows.every(({ boxes }) => boxes.length === 0)) return null;
  const corners = areCorners(rows);
  if (corners === 'unclear') {
    problems.warning('Boxes of "objects" are read as x, y, width, height; as two corners they would lie in their pictures too.', 'Check in the preview that they are right.', { file: path, field: 'objects.bbox' });
  } else if (corners) {
    problems.warning('Boxes of "objects" are read as two corners: as x, y, width, height, which is usual, they would reach out of their pictures.', 'Check in the preview that they are right.', { file: path, field: 'objects.bbox' });
  }
  const tally = new BoxTally();
  const images: AnnotatedImage[] = [];
  let rejected = 0;
  rows.forEach(({ image, size, boxes, labels }, r) => {
    const { line, sample } = records[r];
    const place = { file: path, sample, ...(line !== undefined && { line }) };
    const objects: AnnotatedObject[] = [];
    const fail = (message: string, advice: string, field: string) => {
      rejected++;
      problems.error(message, advice, { ...place, field });
    };
    if (boxes.length !== labels.length) return fail(`The row has ${boxes.length} boxes and ${labels.length} categories.`, 'Give one category for each box.', 'objects');
    for (const [i, box] of boxes.entries()) {
      const label = labels[i];
      if (typeof label === 'number') return fail(`The category of box ${i + 1} is the number ${label}, and its name is nowhere in the file.`, 'Write names in place of numbers, or drop the parquet files of the dataset, which know them.', 'objects.category');
      if (typeof label !== 'string' || label.trim() === '') return fail(`Box ${i + 1} has no category.`, 'Name what it shows.', 'objects.category');
      if (!isBox(box)) return fail(`Box ${i + 1} is not made of four numbers.`, 'Boxes are x, y, width, height in pixels.', 'objects.bbox');
      const [x, y, third, fourth] = box;
      const [x2, y2] = corners === true ? [third, fourth] : [x + third, y + fourth];
      const fitted = size ? tally.shares([x, y, x2, y2], size) : ([x, y, x2, y2] satisfies AnnotatedObject['box']);
      if (!fitted) return fail(`Box ${i + 1}, ${box.join(', ')}, has no area inside its image.`, 'Correct or remove it.', 'objects.bbox');
      objects.push({ label: label.trim(), box: fitted });
    }
    images.push({ name: image, size, objects, ...(!size && { inPixels: true }), place });
  });
  tally.report(path, problems);
  return { format: 'Hugging Face', path, images, rejected };
}

function rowOf(record: Columns): Row | null {
  const column = PICTURE_COLUMNS.find((name) => typeof record[name] === 'string' && fileKind(record[name]) === 'image');
  if (column === undefined || !Object.hasOwn(record, 'objects')) return null;
  const listed = isBlank(record.objects) ? { boxes: [], labels: [] } : objectsOf(record.objects);
  if (!listed) return null;
  const { width, height } = record;
  const isSide = (side: unknown): side is number => typeof side === 'number' && side >= 1;
  return { image: record[column] as string, size: isSide(width) && isSide(height) ? { width, height } : null, ...listed };
}

/** A table of lists, or a list of tables. */
function objectsOf(objects: unknown): { boxes: unknown[]; labels: unknown[] } | null {
  if (Array.isArray(objects)) {
    const entries: unknown[] = objects;
    const [boxKey, labelKey] = [BOX_KEYS, LABEL_KEYS].map((keys) => keys.find((key) => entries.every((entry) => isPlainObject(entry) && Object.hasOwn(entry, key))));
    if (boxKey === undefined || labelKey === undefined) return null;
    return { boxes: entries.map((entry) => (entry as Columns)[boxKey]), labels: entries.map((entry) => (entry as Columns)[labelKey]) };
  }
  if (!isPlainObject(objects)) return null;
  const [boxes, labels] = [BOX_KEYS, LABEL_KEYS].map((keys) => keys.map((key) => objects[key]).find((list) => Array.isArray(list)) as unknown[] | undefined);
  return boxes && labels ? { boxes, labels } : null;
}

function isBox(box: unknown): box is [number, number, number, number] {
  return Array.isArray(box) && box.length === 4 && box.every((x) => typeof x === 'number' && Number.isFinite(x));
}

/**
 * Whether the boxes of a file are two corners. Sizes that lie beyond a picture's edge are none; corners out of order are none.
 * 'unclear' where both would do.
 */
function areCorners(rows: readonly Row[]): boolean | 'unclear' {
  let [asSizes, asCorners, judged] = [true, true, false];
  for (const { size, boxes } of rows) {
    for (const box of boxes) {
      if (!isBox(box)) continue;
      const [x, y, third, fourth] = box;
      if (third <= x || fourth <= y) asCorners = false;
      if (!size) continue;
      judged = true;
      if (x + third > size.width + ROUNDING || y + fourth > size.height + ROUNDING) asSizes = false;
      if (third > size.width + ROUNDING || fourth > size.height + ROUNDING) asCorners = false;
    }
  }
  if (!asCorners) return false;
  return judged && !asSizes ? true : 'unclear';
}
