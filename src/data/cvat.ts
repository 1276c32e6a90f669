/** Annotations exported from CVAT -> LLaVA records with detection answers, split into training, validation and test. */
import { NOTHING_FOUND } from '../objectives/detection-answer.ts';
import { PhiloxSequence } from '../processing/philox.ts';
import type { DatasetProblem, PathFile } from '../protocol/messages.ts';
import { readPictureFacts } from '../processing/decode-image.ts';
import { checkFit } from './annotations/fit.ts';
import { type CvatBox, type CvatImage, readCvatFile } from './cvat-file.ts';
import { folderOf, normalizePath } from './paths.ts';
import { ProblemList } from './problems.ts';

export interface CvatOptions {
  /** Question put to every image. */
  prompt: string;
  /** Keeps only images with an object whose status is not normal. */
  onlyAbnormal: boolean;
  /** Share of the images without such an object to keep, 0 to 1. */
  normalSampleRatio: number;
  /** Shares of the samples; what is left is the test set. */
  trainRatio: number;
  validationRatio: number;
  seed: number;
}

export const CVAT_DEFAULTS: Readonly<CvatOptions> = {
  prompt: '请检测图中的交通设备，给出类别、状态和位置。',
  onlyAbnormal: false,
  normalSampleRatio: 1,
  trainRatio: 0.8,
  validationRatio: 0.1,
  seed: 42,
};

export interface LlavaRecord {
  id: string;
  /** Beside the annotation file or in its folder "images"; images elsewhere are found by their names. */
  image: string;
  conversations: { from: 'human' | 'gpt'; value: string }[];
}

export interface CvatStatistics {
  train: number;
  validation: number;
  test: number;
  /** Samples with and without an object whose status is not normal. */
  abnormal: number;
  normal: number;
  boxes: number;
  categories: Record<string, number>;
  statuses: Record<string, number>;
}

export interface CvatImport {
  train: LlavaRecord[];
  validation: LlavaRecord[];
  test: LlavaRecord[];
  statistics: CvatStatistics;
  /** Images left out because of an error. */
  rejected: number;
  /** At most 200; problemCount is the whole number. */
  problems: DatasetProblem[];
  problemCount: number;
}

const DEFAULT_STATUS = '正常';
const NORMAL_STATUSES: readonly string[] = [DEFAULT_STATUS, 'normal', 'ok'];
/** Names that an attribute may have, lower case. */
const STATUS_NAMES = ['状态', 'status', 'state'];
const REASON_NAMES = ['原因', 'reason', 'cause'];
const DETAIL_NAMES = ['类型', '子类', 'type', 'subtype'];

/** Separate these random numbers from other uses of the same seed. */
const PURPOSE_NORMAL = 6;
const PURPOSE_SHARES = 7;

interface AnnotatedImage {
  path: string;
  objects: AnnotatedObject[];
}

interface AnnotatedObject extends CvatBox {
  status: string;
}

/**
 * Converts annotation files of the format "CVAT for images 1.1". Files or images with an error are left out and named;
 * the same files and options give the same sets.
 * @param boxes "whole": thousandths in whole numbers, as a file to take along has them; "exact": with decimals, for readers
 * that write them in the unit of a model's family (`thousandthFiles` of the reading choices)
 */
export async function importCvat(files: readonly PathFile[], options: CvatOptions, boxes: 'whole' | 'exact' = 'whole'): Promise<CvatImport> {
  const problems = new ProblemList();
  const annotations = files.filter(({ path }) => /\.xml$/i.test(path)).sort((a, b) => (a.path < b.path ? -1 : 1));
  if (annotations.length === 0) problems.error('There is no XML file with annotations.', 'Export the task as "CVAT for images 1.1" and drop its annotations.xml.', {}, 'file-missing');
  const dropped = new Map(files.map((file) => [file.path, file]));
  const images: AnnotatedImage[] = [];
  let rejected = 0;
  for (const file of annotations) {
    try {
      const read = await readCvatFile(file, problems);
      rejected += read.rejected;
      const fitting = await fittingImages(read.images, file.path, dropped, problems);
      rejected += read.images.length - fitting.length;
      for (const image of annotate(fitting, file.path, dropped, problems)) images.push(image);
    } catch (error) {
      problems.caught(error);
    }
  }
  warnOfCopies(images, problems);
  const chosen = choose(images, options);
  const order = new PhiloxSequence(options.seed, 0, PURPOSE_SHARES).permutation(chosen.length);
  const records = [...order].map((i, position) => toRecord(chosen[i], position, options.prompt, boxes));
  // Of very few images one is left to train on.
  const trainEnd = Math.max(options.trainRatio > 0 ? Math.min(1, records.length) : 0, Math.floor(records.length * options.trainRatio));
  const validationEnd = Math.min(records.length, trainEnd + Math.floor(records.length * options.validationRatio));
  const parts = { train: records.slice(0, trainEnd), validation: records.slice(trainEnd, validationEnd), test: records.slice(validationEnd) };
  return { ...parts, statistics: statisticsOf(chosen, parts), rejected, problems: problems.listed, problemCount: problems.count };
}

/** The answer of an image: a numbered list in blocks, or the sentence for nothing. */
export function cvatAnswer(objects: readonly Pick<AnnotatedObject, 'label' | 'status' | 'box' | 'attributes'>[]): string {
  if (objects.length === 0) return `${NOTHING_FOUND}。`;
  const items = objects.map(({ label, status, box: [x1, y1, x2, y2], attributes }, i) => {
    const detail = valueOf(attributes, DETAIL_NAMES);
    const reason = valueOf(attributes, REASON_NAMES);
    return [
      `${i + 1}. ${label}${detail ? `（${detail}）` : ''}`,
      `   - 状态：${status}`,
      ...(reason ? [`   - 原因：${reason}`] : []),
      `   - 位置：<box>(${x1},${y1}),(${x2},${y2})</box>`,
    ].join('\n');
  });
  return `检测到以下交通设备：\n\n${items.join('\n')}`;
}

/** Images lie beside the annotation file, or in the folder that CVAT's archives have for them. */
function pathOf(name: string, file: string, dropped: { has(path: string): boolean }): string {
  const [beside, inFolder] = ['', 'images/'].map((folder) => normalizePath(`${folderOf(file)}/${folder}${name}`));
  return !dropped.has(beside) && dropped.has(inFolder) ? inFolder : beside;
}

/** Images whose pictures have the size that was annotated; a picture that was not dropped, or cannot be read, is named when samples are read. */
async function fittingImages(images: readonly CvatImage[], file: string, dropped: ReadonlyMap<string, PathFile>, problems: ProblemList): Promise<CvatImage[]> {
  const fitting: CvatImage[] = [];
  for (const image of images) {
    const picture = dropped.get(pathOf(image.name, file, dropped));
    const facts = picture && (await readPictureFacts(picture.file, picture.path).catch(() => null));
    try {
      if (picture && facts) checkFit(image, facts, picture.path);
      fitting.push(image);
    } catch (error) {
      problems.caught(error, { file, line: image.line });
    }
  }
  return fitting;
}

function annotate(images: readonly CvatImage[], file: string, dropped: { has(path: string): boolean }, problems: ProblemList): AnnotatedImage[] {
  let withoutStatus = 0;
  const annotated = images.map(({ name, boxes }) => ({
    path: pathOf(name, file, dropped),
    objects: boxes.map((box) => {
      const status = valueOf(box.attributes, STATUS_NAMES);
      if (status === null) withoutStatus++;
      return { ...box, status: status ?? DEFAULT_STATUS };
    }),
  }));
  if (withoutStatus > 0) {
    problems.warning(`${withoutStatus} boxes have no status and count as ${DEFAULT_STATUS}.`, `Give them an attribute named ${STATUS_NAMES.join(', ')} if they have one.`, { file });
  }
  return annotated;
}

function warnOfCopies(images: readonly AnnotatedImage[], problems: ProblemList): void {
  const copies = images.length - new Set(images.map(({ path }) => path)).size;
  if (copies > 0) problems.warning(`${copies} images were annotated more than once; all are kept.`, 'Leave out the file that is not wanted: copies may end up in training and validation.');
}

/** All abnormal images and the wanted share of the others, in their order. */
function choose(images: readonly AnnotatedImage[], { onlyAbnormal, normalSampleRatio, seed }: CvatOptions): AnnotatedImage[] {
  const normal = images.flatMap((image, i) => (isAbnormal(image) ? [] : [i]));
  const kept = onlyAbnormal ? 0 : Math.round(normal.length * Math.min(1, Math.max(0, normalSampleRatio)));
  const order = new PhiloxSequence(seed, 0, PURPOSE_NORMAL).permutation(normal.length);
  const keep = new Set([...order.subarray(0, kept)].map((i) => normal[i]));
  return images.filter((image, i) => keep.has(i) || isAbnormal(image));
}

function isAbnormal({ objects }: AnnotatedImage): boolean {
  return objects.some(({ status }) => !NORMAL_STATUSES.includes(status.toLowerCase()));
}

function toRecord({ path, objects }: AnnotatedImage, position: number, prompt: string, boxes: 'whole' | 'exact'): LlavaRecord {
  const written = boxes === 'whole' ? objects : objects.map((object) => ({ ...object, box: object.exact }));
  return {
    id: `traffic_anomaly_${position}`,
    image: path,
    conversations: [
      { from: 'human', value: `<image>\n${prompt}` },
      { from: 'gpt', value: cvatAnswer(written) },
    ],
  };
}

function statisticsOf(images: readonly AnnotatedImage[], { train, validation, test }: Pick<CvatImport, 'train' | 'validation' | 'test'>): CvatStatistics {
  const objects = images.flatMap((image) => image.objects);
  const abnormal = images.filter(isAbnormal).length;
  return {
    train: train.length,
    validation: validation.length,
    test: test.length,
    abnormal,
    normal: images.length - abnormal,
    boxes: objects.length,
    categories: countsOf(objects.map(({ label }) => label)),
    statuses: countsOf(objects.map(({ status }) => status)),
  };
}

function countsOf(words: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries(counts);
}

/** The first attribute of these names that says something, on one line. */
function valueOf(attributes: ReadonlyMap<string, string>, names: readonly string[]): string | null {
  for (const name of names) {
    const value = attributes.get(name)?.replace(/\s+/g, ' ');
    if (value) return value;
  }
  return null;
}
