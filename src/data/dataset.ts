/** Dropped files -> training and validation samples, with every problem named. */
import { answerOf, type Conversation, messageText, type Role } from '../processing/conversation.ts';
import { extractBoxes } from '../objectives/detection-answer.ts';
import type { ErrorPlace } from '../protocol/errors.ts';
import type { DatasetProblem, LabelledBox, PathFile } from '../protocol/messages.ts';
import { checkBoxes } from './boxes.ts';
import { ImageIndex, type Lookup, sortByKind } from './file-tree.ts';
import { isPreferenceRecord, type LlavaOptions, readLlavaRecord } from './llava.ts';
import { baseName } from './paths.ts';
import { ProblemList } from './problems.ts';
import { type RawRecord, readRecords } from './records.ts';
import { validationIndices } from './sampler.ts';

/** One usable sample; images are looked up but not yet read. */
export interface DatasetSample {
  id: string;
  conversation: Conversation;
  /** In the order of the conversation's image indices. */
  imageFiles: PathFile[];
  /** File, line (JSONL) and 1-based number in the file. */
  place: ErrorPlace;
}

export interface Dataset {
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

export interface DatasetOptions extends LlavaOptions {
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
  return { ...parts, rejected: reader.rejected, images: reader.usedImages.size, problems: problems.listed, problemCount: problems.count };
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

/** What the page shows of a sample. */
export function previewSample({ conversation }: Pick<DatasetSample, 'conversation'>): { turns: { role: Role; text: string }[]; boxes: LabelledBox[] } {
  return {
    turns: conversation.map((message) => ({ role: message.role, text: messageText(message).replace(/^\n/, '') })),
    boxes: extractBoxes(answerOf(conversation)),
  };
}

class SampleReader {
  rejected = 0;
  readonly usedImages = new Set<PathFile>();
  private readonly seenIds = new Map<string, ErrorPlace>();

  constructor(
    private readonly problems: ProblemList,
    private readonly options: LlavaOptions,
  ) {}

  /** @param indexes where to look for images, in this order */
  async read(files: readonly PathFile[], indexes: readonly ImageIndex[]): Promise<DatasetSample[]> {
    const samples: DatasetSample[] = [];
    for (const file of files) {
      const before = this.problems.count;
      const { records, brokenLines } = await readRecords(file, this.problems);
      this.rejected += brokenLines;
      if (records.length > 0 && records.every((record) => isPreferenceRecord(record.value))) {
        this.problems.warning('The file holds preference pairs (chosen, rejected) and was left out.', 'Supervised fine-tuning needs conversations.', { file: file.path });
        continue;
      }
      if (records.length === 0 && this.problems.count === before) {
        this.problems.error('The file holds no samples.', 'Export the dataset again.', { file: file.path });
      }
      const state = { byNameOnly: 0 };
      for (const record of records) {
        const sample = this.readSample(record, file.path, indexes, state);
        if (sample) samples.push(sample);
        else this.rejected++;
      }
      if (state.byNameOnly > 0) {
        this.problems.warning(
          `${state.byNameOnly} images were found by their file name only; their folders differ from the paths in the file.`,
          'Check in the preview that samples show the right images.',
          { file: file.path },
        );
      }
    }
    return samples;
  }

  /** Null when the sample has an error. */
  private readSample({ value, line, sample }: RawRecord, file: string, indexes: readonly ImageIndex[], state: { byNameOnly: number }): DatasetSample | null {
    const place: ErrorPlace = { file, sample, ...(line !== undefined && { line }) };
    let read;
    try {
      read = readLlavaRecord(value, this.options);
    } catch (error) {
      this.problems.caught(error, place);
      return null;
    }
    const before = this.problems.count;
    const imageFiles = read.imagePaths.map((path) => this.findImage(path, file, indexes, place, state));
    for (const message of read.conversation) {
      if (message.role !== 'assistant') continue;
      for (const { message: text, advice } of checkBoxes(messageText(message))) this.problems.error(text, advice, place);
    }
    if (this.problems.count > before) return null;
    const id = read.id ?? `${baseName(file)}#${sample}`;
    this.checkId(id, place);
    const files = imageFiles.filter((image) => image !== null);
    files.forEach((image) => this.usedImages.add(image));
    return { id, conversation: read.conversation, imageFiles: files, place };
  }

  private findImage(path: string, file: string, indexes: readonly ImageIndex[], place: ErrorPlace, state: { byNameOnly: number }): PathFile | null {
    const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
    if (/^(https?|data|file|blob):/i.test(path)) {
      this.problems.error(`The image ${shown.slice(0, 80)} is an address, not a file.`, 'Save the image as a file, drop it too and give its path.', { ...place, field: 'image' }, 'image');
      return null;
    }
    let found: Lookup = { kind: 'missing' };
    for (const index of indexes) {
      if (found.kind === 'missing') found = index.find(path, file);
    }
    if (found.kind === 'missing') {
      this.problems.error(`The image ${shown} is not among the dropped files.`, 'Drop the folder with the images together with the JSON file.', { ...place, field: 'image' }, 'file-missing');
      return null;
    }
    if (found.kind === 'ambiguous') {
      this.problems.error(`The image ${shown} could be ${found.paths.length} files: ${found.paths.slice(0, 3).join(', ')}.`, 'Give a longer path in the record, or rename the files.', { ...place, field: 'image' }, 'image');
      return null;
    }
    if (found.file.file.size === 0) {
      this.problems.error(`The image ${shown} is empty (0 bytes).`, 'Replace the image file.', { ...place, field: 'image' }, 'image');
      return null;
    }
    if (found.byNameOnly) state.byNameOnly++;
    return found.file;
  }

  private checkId(id: string, place: ErrorPlace): void {
    const first = this.seenIds.get(id);
    if (first) {
      const where = `sample ${first.sample} of ${first.file}`;
      this.problems.warning(`The id ${JSON.stringify(id.slice(0, 80))} was used before, by ${where}.`, 'Check whether samples were copied twice; both are kept.', { ...place, field: 'id' });
    } else {
      this.seenIds.set(id, place);
    }
  }
}
