/** Dropped files -> training and validation samples, with every problem named. */
import { answerOf, type Conversation, type Message, messageText, type Role } from '../processing/conversation.ts';
import { extractBoxes } from '../objectives/detection-answer.ts';
import type { ErrorPlace } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { DatasetProblem, LabelledBox, PathFile } from '../protocol/messages.ts';
import { ImageIndex, sortByKind } from './file-tree.ts';
import { ProblemList } from './problems.ts';
import { SampleReader } from './sample-reader.ts';
import { validationIndices } from './sampler.ts';

/**
 * What samples are for. "conversations": answers to learn; "preference": a chosen and a rejected answer to the same
 * prompt; "prompts": questions to be answered by the model itself, with the true answer where it is known.
 */
export type DatasetKind = 'conversations' | 'preference' | 'prompts';

/** One usable sample; its files are looked up but not yet read. */
export interface DatasetSample {
  id: string;
  /** Ends with the answer: the one to learn, the chosen one, or the truth. Without a truth it ends with the question. */
  conversation: Conversation;
  /** Preference sets only: the answer that is not preferred. */
  rejected?: Message;
  /** Columns of the record that none of the above comes from; absent if there are none. */
  extra?: Record<string, unknown>;
  /** Pictures and clips in the order of the conversation's indices. */
  media: Media<PathFile>[];
  /** File, line (JSONL) and 1-based number in the file. */
  place: ErrorPlace;
}

export interface Dataset {
  kind: DatasetKind;
  train: DatasetSample[];
  validation: DatasetSample[];
  /** Samples left out because of an error. */
  rejected: number;
  /** Distinct image files in use. */
  images: number;
  /** At most 200; problemCount is the whole number. */
  problems: DatasetProblem[];
  problemCount: number;
}

export interface DatasetOptions {
  kind: DatasetKind;
  /** As in TurnOptions: for models whose prompts begin with the line break after the image. */
  keepImageNewline?: boolean;
  /** Unit of the boxes in answers; thousandths when left out. */
  boxes?: 'thousandths' | 'pixels';
  /** Part of the training samples kept aside when there is no validation file; 0 = none. */
  validationSplit: number;
  seed: number;
}

/**
 * Reads a dataset. Files of the training zone whose names say so ("val", "dev", …) are validation files.
 * Samples with an error are left out and counted; nothing is repaired silently.
 */
export async function readDataset(source: { train: readonly PathFile[]; validation: readonly PathFile[] }, options: DatasetOptions): Promise<Dataset> {
  const problems = new ProblemList();
  const main = await sortByKind(source.train, problems);
  const extra = await sortByKind(source.validation, problems);
  const mainImages = new ImageIndex(main.images);
  const extraImages = new ImageIndex(extra.images);
  for (const path of [...mainImages.duplicates, ...extraImages.duplicates]) {
    problems.warning('Several files have this path.', 'Keep one of them; samples that use it are left out.', { file: path });
  }
  const split = splitByName(main.records, problems);
  if (split.train.length === 0) {
    problems.error('There is no JSON or JSONL file with training samples.', 'Drop the dataset’s JSON file together with its images.', {}, 'file-missing');
  }
  const reader = new SampleReader(problems, options);
  const train = await reader.read(split.train, [mainImages, extraImages]);
  const validation = [...(await reader.read(extra.records, [extraImages, mainImages])), ...(await reader.read(split.validation, [mainImages, extraImages]))];
  const parts = validation.length === 0 ? splitDataset(train, options.validationSplit, options.seed) : { train, validation };
  return { kind: options.kind, ...parts, rejected: reader.rejected, images: reader.usedImages.size, problems: problems.listed, problemCount: problems.count };
}

/** Keeps a part of the samples aside for validation; the same ones for the same seed and number of samples. */
export function splitDataset(samples: readonly DatasetSample[], fraction: number, seed: number): { train: DatasetSample[]; validation: DatasetSample[] } {
  const chosen = new Set(validationIndices(samples.length, fraction, seed));
  return { train: samples.filter((_, i) => !chosen.has(i)), validation: samples.filter((_, i) => chosen.has(i)) };
}

const VALIDATION_NAME = /(^|[^a-z])(val|valid|validation|dev|eval)([^a-z]|$)/i;
const TEST_NAME = /(^|[^a-z])test([^a-z]|$)/i;

/** Sorts record files by the words in their names (or their folder's). A test file counts only where no validation file is. */
export function splitByName(records: readonly PathFile[], problems: ProblemList): { train: PathFile[]; validation: PathFile[] } {
  const named = (pattern: RegExp) => records.filter(({ path }) => pattern.test(path.split('/').slice(-2).join('/').replace(/\.[^.]*$/, '')));
  const validation = named(VALIDATION_NAME);
  const test = named(TEST_NAME).filter((file) => !validation.includes(file));
  const train = records.filter((file) => !validation.includes(file) && !test.includes(file));
  if (validation.length === 0) return { train, validation: test };
  for (const { path } of test) problems.warning('This test file was left out: there is a validation file already.', 'Drop it as validation data to use it.', { file: path });
  return { train, validation };
}

/** What the page shows of an answer. */
export interface AnswerParts {
  text: string;
  boxes: LabelledBox[];
}

/** What the page shows of a sample. */
export function previewSample({ conversation, rejected }: Pick<DatasetSample, 'conversation' | 'rejected'>): {
  turns: { role: Role; text: string }[];
  boxes: LabelledBox[];
  rejected?: AnswerParts;
} {
  const answer = rejected && messageText(rejected);
  return {
    turns: conversation.map((message) => ({ role: message.role, text: messageText(message).replace(/^\n/, '') })),
    boxes: extractBoxes(answerOf(conversation)),
    ...(answer !== undefined && { rejected: { text: answer, boxes: extractBoxes(answer) } }),
  };
}
