/** Records of files -> samples: fields read, pictures and clips found, boxes checked; whatever is wrong is named and counted. */
import { readImageSize } from '../processing/decode-image.ts';
import { answerOf, type Conversation, type Message, messageText } from '../processing/conversation.ts';
import { extractBoxes } from '../objectives/detection-answer.ts';
import type { ImageSize } from '../processing/smart-resize.ts';
import type { ErrorPlace } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { PathFile } from '../protocol/messages.ts';
import { checkBoxes } from './boxes.ts';
import { hasConversation } from './conversation-form.ts';
import type { DatasetKind, DatasetOptions, DatasetSample } from './dataset.ts';
import { type Grounded, placeObjects } from './grounding.ts';
import { readLlavaRecord } from './llava.ts';
import { MediaFinder } from './media-finder.ts';
import type { MediaIndex } from './media-index.ts';
import { isPlainObject } from './media-reference.ts';
import { baseName } from './paths.ts';
import { PixelBoxes } from './pixel-boxes.ts';
import { isPreferenceRecord, PREFERENCE_COLUMNS, readPreferenceRecord } from './preference.ts';
import type { ProblemList } from './problems.ts';
import { hasPrompt, readPromptRecord } from './prompt-record.ts';
import { type RawRecord, readRecords } from './records.ts';
import { refuseOtherKinds } from './record-kinds.ts';
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
  conversations: readLlavaRecord,
  preference: (record, options) => ({ ...readPreferenceRecord(record, options), columns: PREFERENCE_COLUMNS }),
  prompts: readPromptRecord,
};
/** Whether a record is of a layout that the reader knows. */
const LAYOUTS: Readonly<Record<DatasetKind, (record: Record<string, unknown>) => boolean>> = {
  conversations: hasConversation,
  preference: isPreferenceRecord,
  prompts: hasPrompt,
};
/** Columns that a message names. */
const MAX_COLUMNS = 20;

/** Things that are said once per file. */
interface FileState {
  withoutTruth: number;
  /** Samples with objects that their text does not place. */
  unplaced: number;
  /** Ids that an earlier sample has. */
  repeatedIds: { id: string; place: ErrorPlace; first: ErrorPlace; count: number } | null;
  /** Keys of content parts that were left alone. */
  ignoredKeys: Set<string>;
  pixelBoxes: PixelBoxes;
}

export class SampleReader {
  /** Samples left out because of an error. */
  rejected = 0;
  /** Pictures and clips of usable samples; a clip given by frames counts once. */
  readonly usedMedia = { images: new Set<PathFile>(), videos: new Set<PathFile>() };
  /** Every file that a record names. */
  readonly named = new Set<PathFile>();
  private readonly sizes = new WeakMap<PathFile, Promise<ImageSize>>();
  private readonly seenIds = new Map<string, ErrorPlace>();

  constructor(
    private readonly problems: ProblemList,
    private readonly options: Pick<DatasetOptions, 'kind' | 'keepImageNewline' | 'boxes'>,
  ) {}

  /** @param indexes where to look for images, in this order */
  async read(files: readonly PathFile[], indexes: readonly MediaIndex[]): Promise<DatasetSample[]> {
    const samples: DatasetSample[] = [];
    for (const file of files) {
      const before = this.problems.count;
      const { records, brokenLines } = await readRecords(file, this.problems);
      this.rejected += brokenLines;
      if (this.isOfAnotherKind(records, file.path) || this.isUnknown(records, file.path)) continue;
      if (records.length === 0 && this.problems.count === before) {
        this.problems.error('The file holds no samples.', 'Export the dataset again.', { file: file.path });
      }
      const state: FileState = { withoutTruth: 0, unplaced: 0, repeatedIds: null, ignoredKeys: new Set(), pixelBoxes: new PixelBoxes() };
      const finder = new MediaFinder(this.problems, indexes, file.path, (named) => this.named.add(named));
      for (const record of records) {
        const sample = await this.readSample(record, file.path, finder, state);
        if (sample) samples.push(sample);
        else this.rejected++;
      }
      this.report(state, finder, file.path);
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

  /** A layout that nobody knows is one fault of the file, not one of each of its records. */
  private isUnknown(records: readonly RawRecord[], file: string): boolean {
    if (!records.every(({ value }) => isPlainObject(value) && !LAYOUTS[this.options.kind](value))) return false;
    const columns = [...new Set(records.flatMap(({ value }) => Object.keys(value as object)))];
    if (columns.length === 0) return false;
    const names = columns.slice(0, MAX_COLUMNS).map((name) => JSON.stringify(name.slice(0, 40))).join(', ');
    this.problems.error(
      `The layout of the file is not known: its ${records.length} samples have the columns ${names}${columns.length > MAX_COLUMNS ? ', …' : ''}.`,
      'Rename them: "messages" for a list of turns, or "question" and "answer", with "images" and "videos" for their files.',
      { file },
    );
    this.rejected += records.length;
    return true;
  }

  private report({ withoutTruth, unplaced, repeatedIds, ignoredKeys, pixelBoxes: { suspicion } }: FileState, { byNameOnly, ownSpeed }: MediaFinder, file: string): void {
    if (repeatedIds) {
      const { id, place, first, count } = repeatedIds;
      this.problems.warning(
        `The id ${JSON.stringify(id.slice(0, 80))} was used before, by sample ${first.sample} of ${first.file}${count > 1 ? `; ${count} samples of this file have ids used before` : ''}.`,
        'Check whether samples were copied twice; all are kept.',
        { ...place, field: 'id' },
      );
    }
    if (suspicion) {
      const { boxes, largest } = suspicion;
      this.problems.warning(
        `All boxes looked at, ${boxes}, lie inside the pixel sizes of their images (at most ${largest.width} × ${largest.height}); thousandths of the image would hardly do so. They seem to count pixels.`,
        'Compare them with the image in the preview; if they count pixels, set box_convention to "pixels".',
        { file },
      );
    }
    if (ignoredKeys.size > 0) {
      this.problems.warning(`${[...ignoredKeys].map((key) => JSON.stringify(key)).join(', ')} of images and videos were left alone.`, 'Sizes follow the model’s own settings and max_image_size.', { file });
    }
    if (ownSpeed > 0) {
      this.problems.warning(`${ownSpeed} video files come with an "fps" of their own, which was left alone.`, 'Clips are looked at as the model’s own settings say; give frames as a list to choose them yourself.', { file, field: 'fps' });
    }
    if (byNameOnly > 0) {
      this.problems.warning(
        `${byNameOnly} images or videos were found by their file name only; their folders differ from the paths in the file.`,
        'Check in the preview that samples show the right ones.',
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
  private async readSample({ value, line, sample }: RawRecord, file: string, finder: MediaFinder, state: FileState): Promise<DatasetSample | null> {
    const place: ErrorPlace = { file, sample, ...(line !== undefined && { line }) };
    let read: ReadRecord;
    try {
      refuseOtherKinds(value, this.options.kind);
      read = READERS[this.options.kind](value, this.options);
    } catch (error) {
      this.problems.caught(error, place);
      return null;
    }
    const before = this.problems.count;
    const media: Media<PathFile>[] = [];
    for (const reference of read.media) {
      const found = await finder.find(reference, place);
      if (found) media.push(found);
    }
    let grounded: Grounded = { ...read, objects: 'none' };
    try {
      const images = media.filter((medium) => medium.kind === 'image');
      if (media.length === read.media.length) grounded = await placeObjects(value, read, (image) => images[image] && this.sizeOf(images[image].file));
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
      for (const { message: text, advice } of checkBoxes(messageText(message), this.options.boxes)) this.problems.error(text, advice, answerPlace);
    }
    if (this.problems.count > before) return null;
    const id = read.id ?? `${baseName(file)}#${sample}`;
    this.checkId(id, place, state);
    media.forEach((medium) => this.countMedium(medium));
    await this.lookAtBoxes(state.pixelBoxes, conversation, media);
    read.ignoredKeys.forEach((key) => state.ignoredKeys.add(key));
    if (read.hasTruth === false) state.withoutTruth++;
    if (objects === 'unused') state.unplaced++;
    const extra = otherColumns(value as object, objects === 'placed' ? [...read.columns, 'objects'] : read.columns);
    return { id, conversation, ...(rejected && { rejected }), ...(extra && { extra }), media, place };
  }

  /** Answers about one image only: which image a box is of is not said. */
  private async lookAtBoxes(pixelBoxes: PixelBoxes, conversation: Conversation, media: readonly Media<PathFile>[]): Promise<void> {
    if (this.options.boxes === 'pixels' || !pixelBoxes.wanted || media.length !== 1 || media[0].kind !== 'image') return;
    const boxes = extractBoxes(answerOf(conversation));
    if (boxes.length === 0) return;
    // An image that cannot be read is named when it is decoded.
    const size = await this.sizeOf(media[0].file).catch(() => null);
    if (size) pixelBoxes.add(boxes, size);
  }

  private sizeOf(image: PathFile): Promise<ImageSize> {
    const size = this.sizes.get(image) ?? readImageSize(image.file, image.path);
    this.sizes.set(image, size);
    return size;
  }

  private countMedium(medium: Media<PathFile>): void {
    if (medium.kind === 'image') this.usedMedia.images.add(medium.file);
    else this.usedMedia.videos.add(medium.kind === 'video' ? medium.file : medium.files[0]);
  }

  private checkId(id: string, place: ErrorPlace, state: FileState): void {
    const first = this.seenIds.get(id);
    if (!first) this.seenIds.set(id, place);
    else if (state.repeatedIds) state.repeatedIds.count++;
    else state.repeatedIds = { id, place, first, count: 1 };
  }
}

function otherColumns(record: object, used: readonly string[]): Record<string, unknown> | null {
  const others = Object.entries(record).filter(([name]) => !used.includes(name));
  return others.length === 0 ? null : Object.fromEntries(others);
}
