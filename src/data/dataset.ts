/** Dropped files -> training and validation samples, with every problem named. */
import { answerOf, type Conversation, type Message, messageText, type Role } from '../processing/conversation.ts';
import type { ImageSize } from '../processing/smart-resize.ts';
import { extractBoxes } from '../objectives/detection-answer.ts';
import type { ErrorPlace } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { DatasetProblem, LabelledBox, PathFile, SplitName, UnknownLayout } from '../protocol/messages.ts';
import type { ReadingChoices } from '../protocol/reading-choices.ts';
import { type SortedFiles, sortByKind } from './file-tree.ts';
import type { AnnotationFormat } from './annotations/annotated-image.ts';
import { MediaIndex } from './media-index.ts';
import { ProblemList } from './problems.ts';
import { SampleReader } from './sample-reader.ts';
import { validationIndices } from './sampler.ts';
import { splitByName } from './split-names.ts';

/**
 * What samples are for. "conversations": answers to learn; "preference": a chosen and a rejected answer to the same
 * prompt; "prompts": questions to be answered by the model itself, with the true answer where it is known.
 */
export type DatasetKind = 'conversations' | 'preference' | 'prompts';

/** One usable sample; pictures and clips are looked up but not yet read. */
export interface DatasetSample {
  id: string;
  /** Ends with the answer: the one to learn, the chosen one, or the truth. Without a truth it ends with the question. */
  conversation: Conversation;
  /** Preference sets only: the answer that is not preferred. */
  rejected?: Message;
  /** Columns of the record that none of the above comes from; absent if there are none. */
  extra?: Record<string, unknown>;
  /** In the order of the conversation's indices. */
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
  /** Distinct clips in use. */
  videos: number;
  /** At most 200, errors first; problemCount is the whole number, errorCount that of the errors. */
  problems: DatasetProblem[];
  problemCount: number;
  errorCount: number;
  /** Formats of annotation tools that samples were made from. */
  annotations: AnnotationFormat[];
  /** Files whose boxes seem to count pixels, and nobody has said whether they do. */
  pixelSuspects: string[];
  /** Files whose columns nobody knows. */
  unknown: UnknownLayout[];
}

export interface DatasetOptions {
  kind: DatasetKind;
  /** As in TurnOptions: for models whose prompts begin with the line break after the image. */
  keepImageNewline?: boolean;
  /** Unit of the boxes in answers; thousandths when left out. */
  boxes?: 'thousandths' | 'pixels';
  /** Size at which the model sees a picture of a size; needed where boxes have to be written in its pixels. */
  seenSize?: (stored: ImageSize) => ImageSize;
  /** What the user has decided of files that do not speak for themselves. */
  choices?: ReadingChoices;
  /** Part of the training samples kept aside when there is no validation file; 0 = none. */
  validationSplit: number;
  seed: number;
  /** Reads only so many records of each file, for a first look: nothing is kept aside, and unused files are not named. */
  head?: number;
}

type Source = Readonly<Record<SplitName, readonly PathFile[]>>;

/** Files with their archives opened, to be read as often as settings change. */
export interface OpenedDataset {
  main: SortedFiles;
  extra: SortedFiles;
  mainMedia: MediaIndex;
  extraMedia: MediaIndex;
  /** What was found wrong so far. */
  problems: ProblemList;
}

/** Opens archives and sorts files by kind. */
export async function openDataset(source: Source): Promise<OpenedDataset> {
  const problems = new ProblemList();
  const main = await sortByKind(source.train, problems);
  const extra = await sortByKind(source.validation, problems);
  return { main, extra, mainMedia: new MediaIndex(main.media, main.ignored), extraMedia: new MediaIndex(extra.media, extra.ignored), problems };
}

/**
 * Reads a dataset. Files of the training zone whose own names say so ("val", "dev", …) are validation files.
 * Samples with an error are left out and counted; nothing is repaired silently.
 */
export async function readDataset(source: Source | OpenedDataset, options: DatasetOptions): Promise<Dataset> {
  const { main, extra, mainMedia, extraMedia, problems: found } = 'main' in source ? source : await openDataset(source);
  const problems = found.copy();
  for (const path of [...mainMedia.duplicates, ...extraMedia.duplicates]) {
    problems.warning('Several files have this path.', 'Keep one of them; samples that use it are left out.', { file: path });
  }
  const split = splitByName([...main.records, ...main.annotations], problems);
  if (split.train.length === 0) {
    problems.error('There is no file with training samples.', 'Drop the dataset’s JSON, JSONL, CSV or parquet file, or its annotations, together with its images.', {}, 'file-missing');
  }
  const reader = new SampleReader(problems, options);
  await reader.source.learn([...main.records, ...extra.records]);
  const train = await reader.read(split.train, [mainMedia, extraMedia]);
  const validation = [...(await reader.read([...extra.records, ...extra.annotations], [extraMedia, mainMedia])), ...(await reader.read(split.validation, [mainMedia, extraMedia]))];
  const parts = validation.length === 0 && options.head === undefined ? splitDataset(train, options.validationSplit, options.seed) : { train, validation };
  if (options.head === undefined) sayUnused([...main.media, ...extra.media], reader.named, problems);
  const { images, videos } = reader.usedMedia;
  return { kind: options.kind, ...parts, rejected: reader.rejected, images: images.size, videos: videos.size, problems: problems.listed, problemCount: problems.count, errorCount: problems.errorCount, annotations: [...reader.source.formats], unknown: reader.unknown, pixelSuspects: reader.pixelSuspects };
}

/** Says how many dropped pictures and clips no record names; a file may have been dropped with both splits. */
function sayUnused(files: readonly PathFile[], named: ReadonlySet<PathFile>, problems: ProblemList): void {
  const known = new Set([...named].map(({ path }) => path));
  const unused = [...new Set(files.map(({ path }) => path))].filter((path) => !known.has(path));
  if (unused.length === 0 || known.size + problems.count === 0) return;
  const shown = unused.slice(0, 3).join(', ') + (unused.length > 3 ? ', …' : '');
  problems.warning(`${unused.length} dropped images or videos are used by no sample: ${shown}`, 'Nothing to do unless samples should show them: then check how records name them.');
}

/** Keeps a part of the samples aside for validation; the same ones for the same seed and number of samples. */
export function splitDataset(samples: readonly DatasetSample[], fraction: number, seed: number): { train: DatasetSample[]; validation: DatasetSample[] } {
  const chosen = new Set(validationIndices(samples.length, fraction, seed));
  return { train: samples.filter((_, i) => !chosen.has(i)), validation: samples.filter((_, i) => chosen.has(i)) };
}

/** What the page shows of an answer. */
export interface AnswerParts {
  text: string;
  boxes: LabelledBox[];
}

/** What the page shows of a sample. */
export function previewSample({ conversation, rejected }: Pick<DatasetSample, 'conversation' | 'rejected'>): {
  turns: { role: Role; text: string; reasoning?: string }[];
  boxes: LabelledBox[];
  rejected?: AnswerParts;
} {
  const answer = rejected && messageText(rejected);
  return {
    turns: conversation.map((message) => ({
      role: message.role,
      text: messageText(message).replace(/^\n/, ''),
      ...(message.reasoning !== undefined && { reasoning: message.reasoning }),
    })),
    boxes: extractBoxes(answerOf(conversation)),
    ...(answer !== undefined && { rejected: { text: answer, boxes: extractBoxes(answer) } }),
  };
}
