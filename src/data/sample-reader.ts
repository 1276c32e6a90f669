/** Records of files -> samples: fields read, images found, boxes checked; whatever is wrong is named and counted. */
import { readImageSize } from '../processing/decode-image.ts';
import { type Message, messageText } from '../processing/conversation.ts';
import type { ImageSize } from '../processing/smart-resize.ts';
import type { ErrorPlace } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import { checkBoxes } from './boxes.ts';
import type { DatasetKind, DatasetOptions, DatasetSample } from './dataset.ts';
import type { ImageIndex, Lookup } from './file-tree.ts';
import { type Grounded, placeObjects } from './grounding.ts';
import { LLAVA_COLUMNS, readLlavaRecord } from './llava.ts';
import { baseName } from './paths.ts';
import { isPreferenceRecord, PREFERENCE_COLUMNS, readPreferenceRecord } from './preference.ts';
import type { ProblemList } from './problems.ts';
import { readPromptRecord } from './prompt-record.ts';
import { type RawRecord, readRecords } from './records.ts';
import type { PlacedConversation, TurnOptions } from './turns.ts';

/** A record as its format's reader understands it. */
interface ReadRecord extends PlacedConversation {
  id: string | null;
  rejected?: Message;
  /** Prompts only. */
  hasTruth?: boolean;
  /** Columns that were used. */
  columns: readonly string[];
}

const READERS: Readonly<Record<DatasetKind, (record: unknown, options: TurnOptions) => ReadRecord>> = {
  conversations: (record, options) => ({ ...readLlavaRecord(record, options), columns: LLAVA_COLUMNS }),
  preference: (record, options) => ({ ...readPreferenceRecord(record, options), columns: PREFERENCE_COLUMNS }),
  prompts: readPromptRecord,
};

/** Things that are said once per file. */
interface FileState {
  /** Images found by their name only. */
  byNameOnly: number;
  withoutTruth: number;
  /** Samples with objects that their text does not place. */
  unplaced: number;
}

export class SampleReader {
  /** Samples left out because of an error. */
  rejected = 0;
  readonly usedImages = new Set<PathFile>();
  private readonly sizes = new WeakMap<PathFile, Promise<ImageSize>>();
  private readonly seenIds = new Map<string, ErrorPlace>();

  constructor(
    private readonly problems: ProblemList,
    private readonly options: Pick<DatasetOptions, 'kind' | 'keepImageNewline' | 'boxes'>,
  ) {}

  /** @param indexes where to look for images, in this order */
  async read(files: readonly PathFile[], indexes: readonly ImageIndex[]): Promise<DatasetSample[]> {
    const samples: DatasetSample[] = [];
    for (const file of files) {
      const before = this.problems.count;
      const { records, brokenLines } = await readRecords(file, this.problems);
      this.rejected += brokenLines;
      if (this.isOfAnotherKind(records, file.path)) continue;
      if (records.length === 0 && this.problems.count === before) {
        this.problems.error('The file holds no samples.', 'Export the dataset again.', { file: file.path });
      }
      const state: FileState = { byNameOnly: 0, withoutTruth: 0, unplaced: 0 };
      for (const record of records) {
        const sample = await this.readSample(record, file.path, indexes, state);
        if (sample) samples.push(sample);
        else this.rejected++;
      }
      this.report(state, file.path);
    }
    return samples;
  }

  /** Files that are for another method as a whole are named once, not sample by sample. */
  private isOfAnotherKind(records: readonly RawRecord[], file: string): boolean {
    if (records.length === 0) return false;
    if (this.options.kind === 'preference') {
      if (records.some((record) => isPreferenceRecord(record.value))) return false;
      this.problems.error('The file holds no preference pairs: no sample has a rejected answer.', 'Make pairs from it with the pair maker, or give samples with chosen and rejected answers.', { file, field: 'rejected' });
      this.rejected += records.length;
      return true;
    }
    if (!records.every((record) => isPreferenceRecord(record.value))) return false;
    const advice = this.options.kind === 'conversations' ? 'Supervised fine-tuning needs conversations.' : 'Give prompts, with their true answers where they are known.';
    this.problems.warning('The file holds preference pairs (chosen, rejected) and was left out.', advice, { file });
    return true;
  }

  private report({ byNameOnly, withoutTruth, unplaced }: FileState, file: string): void {
    if (byNameOnly > 0) {
      this.problems.warning(
        `${byNameOnly} images were found by their file name only; their folders differ from the paths in the file.`,
        'Check in the preview that samples show the right images.',
        { file },
      );
    }
    if (withoutTruth > 0) {
      this.problems.warning(
        `${withoutTruth} samples have no true answer.`,
        'Rewards that compare with the truth cannot judge them: add a column "solution", or use rewards of your own.',
        { file, field: 'solution' },
      );
    }
    if (unplaced > 0) {
      this.problems.warning(
        `${unplaced} samples list objects that their text does not place.`,
        'Nothing was put in their place: write <ref-object> and <bbox> where they belong, or remove "objects".',
        { file, field: 'objects' },
      );
    }
  }

  /** Null when the sample has an error. */
  private async readSample({ value, line, sample }: RawRecord, file: string, indexes: readonly ImageIndex[], state: FileState): Promise<DatasetSample | null> {
    const place: ErrorPlace = { file, sample, ...(line !== undefined && { line }) };
    let read: ReadRecord;
    try {
      read = READERS[this.options.kind](value, this.options);
    } catch (error) {
      this.problems.caught(error, place);
      return null;
    }
    const before = this.problems.count;
    const imageFiles = read.imagePaths.map((path) => this.findImage(path, file, indexes, place, state));
    const files = imageFiles.filter((image) => image !== null);
    let grounded: Grounded = { ...read, objects: 'none' };
    try {
      if (files.length === imageFiles.length) grounded = await placeObjects(value, read, (image) => files[image] && this.sizeOf(files[image]));
    } catch (error) {
      this.problems.caught(error, place);
      return null;
    }
    const { conversation, rejected, objects } = grounded;
    if (this.options.boxes === 'pixels' && (objects === 'placed' || objects === 'partly')) {
      this.problems.error('Placeholders are filled with thousandths, but answers are to count pixels.', 'Set box_convention to thousandths, or write the boxes out in pixels.', { ...place, field: 'objects' });
      return null;
    }
    // Rejected answers may be wrong on purpose, their boxes too.
    const answerPlace = rejected ? { ...place, field: 'chosen' } : place;
    for (const message of conversation) {
      if (message.role !== 'assistant') continue;
      for (const { message: text, advice } of checkBoxes(messageText(message))) this.problems.error(text, advice, answerPlace);
    }
    if (this.problems.count > before) return null;
    const id = read.id ?? `${baseName(file)}#${sample}`;
    this.checkId(id, place);
    files.forEach((image) => this.usedImages.add(image));
    if (read.hasTruth === false) state.withoutTruth++;
    if (objects === 'unused') state.unplaced++;
    const extra = otherColumns(value as object, objects === 'placed' ? [...read.columns, 'objects'] : read.columns);
    return { id, conversation, ...(rejected && { rejected }), ...(extra && { extra }), media: files.map((image) => ({ kind: 'image', file: image })), place };
  }

  private sizeOf(image: PathFile): Promise<ImageSize> {
    const size = this.sizes.get(image) ?? readImageSize(image.file, image.path);
    this.sizes.set(image, size);
    return size;
  }

  private findImage(path: string, file: string, indexes: readonly ImageIndex[], place: ErrorPlace, state: FileState): PathFile | null {
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

function otherColumns(record: object, used: readonly string[]): Record<string, unknown> | null {
  const others = Object.entries(record).filter(([name]) => !used.includes(name));
  return others.length === 0 ? null : Object.fromEntries(others);
}
