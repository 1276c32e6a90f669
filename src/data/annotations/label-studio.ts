/**
 * Label Studio's JSON export: tasks with their annotations, boxes in per cent; and its "JSON-MIN", where a task's columns
 * hold them. As in labelstud.io/guide/export and labelstud.io/tags/rectanglelabels.
 */
import { isPlainObject } from '../media-reference.ts';
import { baseName, fileKind } from '../paths.ts';
import type { ProblemList } from '../problems.ts';
import { fault } from '../record-fault.ts';
import { type AnnotatedImage, type AnnotatedObject, type AnnotationSet, BoxTally } from './annotated-image.ts';

type Columns = Readonly<Record<string, unknown>>;
/** A region: a box, or words for the whole image. */
type Region = Columns;

const BOX_KEYS = ['rectanglelabels', 'labels'] as const;

/** Whether a record is a task of this tool. */
export function isLabelStudioTask(record: unknown): record is Columns {
  if (!isPlainObject(record)) return false;
  if (isPlainObject(record.data) && (Array.isArray(record.annotations) || Array.isArray(record.completions))) return true;
  return Object.hasOwn(record, 'annotator') && Object.values(record).some((value) => Array.isArray(value) && value.some(isRegionValue));
}

/** Images with their boxes, or with what was chosen or written for them. A task with an error is left out and named. */
export function readLabelStudio(path: string, tasks: readonly Columns[], problems: ProblemList): AnnotationSet {
  const tally = new BoxTally();
  const images: AnnotatedImage[] = [];
  let rejected = 0;
  let several = 0;
  tasks.forEach((task, i) => {
    const place = { file: path, sample: i + 1 };
    try {
      const { regions, count } = regionsOf(task);
      if (count > 1) several++;
      images.push({ ...imageOf(task, regions, tally), place });
    } catch (error) {
      rejected++;
      problems.caught(error, place);
    }
  });
  if (several > 0) problems.warning(`${several} tasks have several annotations; the first one that was not cancelled was used.`, 'Keep one annotation a task, or export the agreed one.', { file: path });
  tally.report(path, problems);
  return { format: 'Label Studio', path, images, rejected };
}

function regionsOf(task: Columns): { regions: Region[]; count: number } {
  if (!isPlainObject(task.data)) {
    const regions = Object.values(task).flatMap((value) => (Array.isArray(value) ? value.filter(isRegionValue).map((entry) => ({ ...entry, value: entry })) : []));
    return { regions, count: 1 };
  }
  const all = (task.annotations ?? task.completions) as unknown[];
  const kept = all.filter((entry) => isPlainObject(entry) && entry.was_cancelled !== true) as Columns[];
  if (kept.length === 0) throw fault('The task has not been annotated.', 'Leave out unfinished tasks when exporting.', 'annotations');
  const { result } = kept[0];
  if (!Array.isArray(result)) throw fault('The annotation has no "result".', 'Export the project as JSON again.', 'annotations.0.result');
  return { regions: result.filter(isPlainObject), count: kept.length };
}

function imageOf(task: Columns, regions: readonly Region[], tally: BoxTally): Omit<AnnotatedImage, 'place'> {
  const columns = isPlainObject(task.data) ? task.data : task;
  const name = Object.values(columns).map(fileIn).find((found) => found !== null);
  if (name === undefined) throw fault('The task names no image.', 'Export the project as JSON, with the images’ columns.', 'data');
  let size: AnnotatedImage['size'] = null;
  const objects: AnnotatedObject[] = [];
  const words: string[] = [];
  regions.forEach((region, i) => {
    const value = isPlainObject(region.value) ? region.value : {};
    const label = BOX_KEYS.map((key) => value[key]).find((labels) => Array.isArray(labels) && typeof labels[0] === 'string') as string[] | undefined;
    if ('width' in value && 'x' in value && label) {
      const odd = ['x', 'y', 'width', 'height'].find((key) => typeof value[key] !== 'number');
      if (odd) throw fault(`Box ${i + 1} has no number as its "${odd}".`, 'Correct or remove it.', `result.${i}.value.${odd}`);
      const { original_width: width, original_height: height } = region;
      if (typeof width === 'number' && typeof height === 'number') size = { width, height };
      const box = tally.shares(uprightCorners(value, size), { width: 100, height: 100 });
      if (!box) throw fault(`Box ${i + 1} has no area inside its image.`, 'Correct or remove it.', `result.${i}`);
      objects.push({ label: label[0].trim(), box });
    } else if (Array.isArray(value.choices) || Array.isArray(value.text)) words.push(...((value.choices ?? value.text) as unknown[]).filter((word): word is string => typeof word === 'string'));
    else tally.leaveOut('regions that are no boxes');
  });
  return { name, size, objects, ...(objects.length === 0 && words.length > 0 && { text: words.join(', ') }) };
}

/** Corners in per cent. Label Studio turns a box round its upper left corner, in pixels. */
function uprightCorners(value: Columns, size: AnnotatedImage['size']): number[] {
  const [x, y, width, height] = ['x', 'y', 'width', 'height'].map((key) => value[key] as number);
  const turn = typeof value.rotation === 'number' ? (value.rotation * Math.PI) / 180 : 0;
  if (turn === 0) return [x, y, x + width, y + height];
  const [across, down] = [size?.width ?? 1, size?.height ?? 1];
  const points = [[0, 0], [width, 0], [0, height], [width, height]].map(([dx, dy]) => [
    x + (dx * across * Math.cos(turn) - dy * down * Math.sin(turn)) / across,
    y + (dx * across * Math.sin(turn) + dy * down * Math.cos(turn)) / down,
  ]);
  const xs = points.map(([px]) => px);
  const ys = points.map(([, py]) => py);
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** The file that a column names: a path, an upload's address, or a place of the tool's local storage. */
function fileIn(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const local = /[?&]d=([^&]+)/.exec(value)?.[1];
  const path = decoded(local ?? value.replace(/[?#].*$/, ''));
  return fileKind(path) === 'image' ? (local === undefined ? baseName(path) : path) : null;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isRegionValue(value: unknown): value is Columns {
  return isPlainObject(value) && Array.isArray(value.rectanglelabels) && typeof value.x === 'number';
}
