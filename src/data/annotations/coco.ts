/** COCO's "instances" file, as cocodataset.org/#format-data has it and Roboflow, CVAT and Label Studio export it. */
import { isPlainObject } from '../media-reference.ts';
import type { ProblemList } from '../problems.ts';
import { type AnnotatedImage, type AnnotationSet, BoxTally } from './annotated-image.ts';

interface CocoFile {
  images: unknown[];
  annotations: unknown[];
  categories?: unknown;
}

/** Whether a JSON document is of this kind. */
export function isCoco(document: unknown): document is CocoFile {
  return isPlainObject(document) && Array.isArray(document.images) && Array.isArray(document.annotations);
}

/** Images with their boxes. An image with a fault of its own, or of one of its annotations, is left out and named. */
export function readCoco(path: string, document: CocoFile, problems: ProblemList): AnnotationSet {
  const tally = new BoxTally();
  const names = categoryNames(document.categories);
  const images = new Map<unknown, AnnotatedImage>();
  const faulty = new Set<unknown>();
  let rejected = 0;
  document.images.forEach((entry, i) => {
    const place = { file: path, sample: i + 1 };
    const fail = (message: string, field: string) => {
      rejected++;
      if (isPlainObject(entry)) faulty.add(entry.id);
      problems.error(message, 'Export the annotations again.', { ...place, field });
    };
    if (!isPlainObject(entry)) return fail(`Image ${i + 1} is no object.`, `images.${i}`);
    const { id, file_name: name, width, height } = entry;
    if (typeof name !== 'string' || name.trim() === '') return fail(`Image ${i + 1} has no file name.`, `images.${i}.file_name`);
    if (!isSide(width) || !isSide(height)) return fail(`The image ${name.slice(0, 200)} has no size.`, `images.${i}.width`);
    if (images.has(id) || faulty.has(id)) return fail(`Two images have the id ${shown(id)}: whose the boxes are cannot be told.`, `images.${i}.id`);
    images.set(id, { name, size: { width, height }, objects: [], place });
  });
  document.annotations.forEach((entry, i) => {
    const field = `annotations.${i}`;
    const id = isPlainObject(entry) ? entry.image_id : undefined;
    const image = images.get(id);
    if (!image) {
      if (!faulty.has(id)) problems.warning(`Annotation ${i + 1} belongs to no image of the file.`, 'Export the annotations again.', { file: path, field });
      return;
    }
    const { bbox, category_id: category, iscrowd } = entry as Record<string, unknown>;
    if (iscrowd === 1) return tally.leaveOut('annotations of crowds');
    if (bbox === undefined || bbox === null || (Array.isArray(bbox) && bbox.length === 0)) return tally.leaveOut('annotations without a box');
    const label = names.get(category);
    const fail = (message: string, advice: string, part: string) => {
      rejected++;
      faulty.add(id);
      images.delete(id);
      problems.error(message, advice, { ...image.place, field: `${field}.${part}` });
    };
    if (label === undefined) return fail(`The category ${shown(category)} of annotation ${i + 1} has no name.`, 'Add it to "categories".', 'category_id');
    if (!Array.isArray(bbox) || bbox.length !== 4 || !bbox.every((x) => typeof x === 'number')) return fail(`The box of annotation ${i + 1} is not made of four numbers.`, 'COCO boxes are x, y, width, height.', 'bbox');
    const [x, y, width, height] = bbox as number[];
    const box = tally.shares([x, y, x + width, y + height], image.size!);
    if (!box) return fail(`The box of annotation ${i + 1}, ${bbox.join(', ')}, has no area inside its image.`, 'COCO boxes are x, y, width, height in pixels. Correct or remove it.', 'bbox');
    image.objects.push({ label, box });
  });
  tally.report(path, problems);
  return { format: 'COCO', path, images: [...images.values()], rejected };
}

function categoryNames(categories: unknown): Map<unknown, string> {
  const names = new Map<unknown, string>();
  if (!Array.isArray(categories)) return names;
  for (const entry of categories) {
    if (isPlainObject(entry) && typeof entry.name === 'string' && entry.name.trim() !== '') names.set(entry.id, entry.name.trim());
  }
  return names;
}

function isSide(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 1;
}

/** An id as a message tells it; objects may lie about their text. */
function shown(id: unknown): string {
  return (JSON.stringify(id) ?? 'undefined').slice(0, 40);
}
