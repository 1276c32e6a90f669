/** What a dataset is made of, in figures that tell at a glance whether it is what it should be. */
import type { DatasetSample } from '../data/dataset.ts';
import { parseAnswer } from '../objectives/detection-answer.ts';
import { mapResting } from '../data/resting.ts';
import { plainFile, sizeOf } from '../processing/archived-file.ts';
import { answerOf, messageText, promptOf } from '../processing/conversation.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { DataProfile, PathFile, SplitName } from '../protocol/messages.ts';
import { fingerprintBlob } from '../storage/fingerprint.ts';
import type { CheckedDataset } from './encoded-dataset.ts';

const BINS = 24;
/** Rows of a list; what is beyond is counted together. */
const MAX_ROWS = 12;
/** Longer answers are no names of classes. */
const MAX_CLASS_CHARACTERS = 40;
/** More different answers than this are texts, not classes. */
const MAX_CLASSES = 200;

/** Of samples that have not been looked at yet. */
export const EMPTY_PROFILE: DataProfile = { lengths: null, imageSizes: { rows: [], others: 0 }, classes: { rows: [], others: 0 }, shared: { images: 0, texts: 0 } };

/**
 * @param parts samples as they are used
 * @param encoded null until a model has encoded them
 * @param patchSize of the model, in pixels
 */
export async function profileOf(parts: Record<SplitName, readonly DatasetSample[]>, encoded: CheckedDataset | null, patchSize: number): Promise<DataProfile> {
  const samples = [...parts.train, ...parts.validation];
  const all = encoded ? [...encoded.train, ...encoded.validation].map((sample) => sample.encoded) : [];
  const sizes = all.flatMap(({ media }) => media.filter(({ kind }) => kind === 'image').map(({ grid }) => `${grid[2] * patchSize} × ${grid[1] * patchSize}`));
  return {
    lengths: histogram(all.map(({ inputIds }) => inputIds.length)),
    imageSizes: mostFrequent(sizes),
    classes: await classesIn(samples.map(({ conversation }) => answerOf(conversation))),
    shared: { images: await sharedImages(parts), texts: await sharedTexts(parts) },
  };
}

/** Bins of equal width from the shortest to the longest; null where there is nothing to count. */
export function histogram(values: readonly number[]): DataProfile['lengths'] {
  if (values.length === 0) return null;
  const [from, to] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const width = Math.max(1, Math.ceil((to - from + 1) / BINS));
  const counts = new Array<number>(Math.floor((to - from) / width) + 1).fill(0);
  for (const value of values) counts[Math.floor((value - from) / width)]++;
  return { from, width, counts };
}

/** Objects by category where answers are detections, else answers that are short and few. */
async function classesIn(answers: readonly string[]): Promise<DataProfile['classes']> {
  const found = await mapResting(answers, (answer) => parseAnswer(answer));
  const categories = found.flatMap(({ objects }) => objects.flatMap(({ category }) => (category === '' ? [] : [category])));
  if (categories.length > 0) return mostFrequent(categories);
  const short = answers.map((answer) => answer.trim()).filter((answer) => answer !== '' && answer.length <= MAX_CLASS_CHARACTERS);
  const isClass = short.length === answers.length && new Set(short).size <= Math.min(MAX_CLASSES, answers.length / 2);
  return isClass ? mostFrequent(short) : { rows: [], others: 0 };
}

function mostFrequent(words: readonly string[]): DataProfile['classes'] {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const rows = [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count);
  return { rows: rows.slice(0, MAX_ROWS), others: rows.slice(MAX_ROWS).reduce((sum, { count }) => sum + count, 0) };
}

/** Pictures of validation samples that are trained on too, byte for byte, whatever they are called. Only files of equal size are read. */
async function sharedImages({ train, validation }: Record<SplitName, readonly DatasetSample[]>): Promise<number> {
  const pictures = (samples: readonly DatasetSample[]) => [...new Set(samples.flatMap(({ media }) => media.flatMap((medium) => (medium.kind === 'image' ? [medium.file] : []))))];
  const trained = new Map<number, PathFile[]>();
  for (const picture of pictures(train)) trained.set(sizeOf(picture.file), [...(trained.get(sizeOf(picture.file)) ?? []), picture]);
  const prints = new Map<PathFile, Promise<string>>();
  const printOf = (picture: PathFile) => {
    const print = prints.get(picture) ?? pictureFingerprint(picture);
    prints.set(picture, print);
    return print;
  };
  let count = 0;
  for (const picture of pictures(validation)) {
    const alike = trained.get(sizeOf(picture.file)) ?? [];
    if (alike.includes(picture)) count++;
    else if (alike.length > 0) {
      const own = await printOf(picture);
      const others = await Promise.all(alike.map(printOf));
      if (others.includes(own)) count++;
    }
  }
  return count;
}

/** One that cannot be unpacked is like no other; whoever reads its sample names it. */
async function pictureFingerprint({ file, path }: PathFile): Promise<string> {
  try {
    return await fingerprintBlob(await plainFile(file, path));
  } catch (error) {
    if (error instanceof LorikeetError && error.code === 'image') return `unreadable ${path}`;
    throw error;
  }
}

/** Validation samples whose question and answer both stand in a training sample. */
async function sharedTexts({ train, validation }: Record<SplitName, readonly DatasetSample[]>): Promise<number> {
  const textOf = ({ conversation, media }: DatasetSample) => JSON.stringify([promptOf(conversation).map(messageText), answerOf(conversation), media.length]);
  const wordsOnly = (samples: readonly DatasetSample[]) => mapResting(samples.filter(({ media }) => media.length === 0), textOf);
  const held = await wordsOnly(validation);
  const trained = new Set(held.length === 0 ? [] : await wordsOnly(train));
  return held.filter((text) => trained.has(text)).length;
}
