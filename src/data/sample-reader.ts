/** Records of files -> samples: fields read, pictures and clips found, boxes checked; whatever is wrong is named and counted. */
import { type PictureFacts, readPictureFacts } from '../processing/decode-image.ts';
import { answerOf, type Conversation, type Message, messageText } from '../processing/conversation.ts';
import { extractBoxes } from '../objectives/detection-answer.ts';
import type { ErrorPlace } from '../protocol/errors.ts';
import type { Media } from '../protocol/media.ts';
import type { PathFile, UnknownLayout } from '../protocol/messages.ts';
import { checkFit } from './annotations/fit.ts';
import { checkBoxes, markedBoxes } from './boxes.ts';
import { hasConversation } from './conversation-form.ts';
import type { DatasetKind, DatasetOptions, DatasetSample } from './dataset.ts';
import { FileNotices } from './file-notices.ts';
import { type Grounded, placeObjects } from './grounding.ts';
import { readLlavaRecord } from './llava.ts';
import { MediaFinder } from './media-finder.ts';
import { MediaIndex } from './media-index.ts';
import { isPlainObject } from './media-reference.ts';
import { baseName } from './paths.ts';
import type { PixelBoxes } from './pixel-boxes.ts';
import { isPreferenceRecord, PREFERENCE_COLUMNS, readPreferenceRecord } from './preference.ts';
import type { ProblemList } from './problems.ts';
import { hasPrompt, readPromptRecord } from './prompt-record.ts';
import { resting } from './resting.ts';
import { RecordSource, type RecordEntry } from './record-source.ts';
import type { RawRecord } from './records.ts';
import { fault } from './record-fault.ts';
import { refuseOtherKinds } from './record-kinds.ts';
import { rewriteBoxes } from './rewrite-boxes.ts';
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
/** As a size: units from edge to edge. */
const THOUSANDTHS = { width: 1000, height: 1000 };
/** Columns that a message names. */
const MAX_COLUMNS = 20;

/** Rows of such a file that are handed out. */
const FIRST_ROWS = 5;

export class SampleReader {
  /** Samples left out because of an error. */
  rejected = 0;
  /** Pictures and clips of usable samples; a clip given by frames counts once. */
  readonly usedMedia = { images: new Set<PathFile>(), videos: new Set<PathFile>() };
  /** Every file that a record names. */
  readonly named = new Set<PathFile>();
  readonly unknown: UnknownLayout[] = [];
  /** Files whose boxes seem to count pixels, and nobody has said whether they do. */
  readonly pixelSuspects: string[] = [];
  readonly source: RecordSource;
  private readonly sizes = new WeakMap<PathFile, Promise<PictureFacts>>();
  private readonly seenIds = new Map<string, ErrorPlace>();

  constructor(
    private readonly problems: ProblemList,
    private readonly options: Pick<DatasetOptions, 'kind' | 'keepImageNewline' | 'boxes' | 'seenSize' | 'choices' | 'head'>,
  ) {
    this.source = new RecordSource(problems, options.choices ?? {}, (record) => LAYOUTS[options.kind](record), options.head);
  }

  /** @param indexes where to look for images, in this order */
  async read(entries: readonly RecordEntry[], indexes: readonly MediaIndex[]): Promise<DatasetSample[]> {
    const samples: DatasetSample[] = [];
    const rest = resting();
    for (const entry of entries) {
      const file = entry.path;
      const faultsBefore = this.problems.count;
      const { records, rejected, silent, media } = await this.source.read(entry);
      this.rejected += rejected;
      if (this.isOfAnotherKind(records, file) || this.isUnknown(records, file)) continue;
      if (records.length === 0 && this.problems.count === faultsBefore && !silent) {
        this.problems.error('The file holds no samples.', 'Export the dataset again.', { file });
      }
      const notices = new FileNotices();
      const before = 'file' in entry ? null : new Set(this.named);
      const again = new Set<PathFile>();
      const finder = new MediaFinder(this.problems, media ? [new MediaIndex(media), ...indexes] : indexes, file, (named) => {
        this.named.add(named);
        if (before?.has(named)) again.add(named);
      });
      for (const record of records) {
        const due = rest();
        if (due) await due;
        const sample = await this.readSample(record, record.file ?? file, finder, notices);
        if (sample) samples.push(sample);
        else this.rejected++;
      }
      if (this.options.choices?.trustedFiles?.includes(file)) notices.pixelBoxes.trust();
      else if (notices.pixelBoxes.suspicion) this.pixelSuspects.push(file);
      notices.report(finder, file, this.problems);
      if (again.size > 0) this.problems.warning(`${again.size} images of these annotations are used by other files too: they are learnt more than once.`, 'Drop one of them alone unless both are wanted.', { file });
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
    this.unknown.push({ file, columns, rows: records.length, first: records.slice(0, FIRST_ROWS).map(({ value }) => value as Record<string, unknown>) });
    return true;
  }

  /** Null when the sample has an error. */
  private async readSample({ value, line, sample, annotatedSize }: RawRecord, file: string, finder: MediaFinder, notices: FileNotices): Promise<DatasetSample | null> {
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
      if (annotatedSize && images.length === 1) checkFit(annotatedSize, await this.factsOf(images[0].file), images[0].file.path);
      const { boxes: unit, seenSize } = this.options;
      const sizes = { stored: (image: number) => images[image] && this.factsOf(images[image].file), seen: unit === 'pixels' ? seenSize : null };
      if (media.length === read.media.length) grounded = await placeObjects(value, read, sizes);
    } catch (error) {
      this.problems.caught(error, place);
      return null;
    }
    const { rejected, objects } = grounded;
    let { conversation } = grounded;
    if (objects === 'none' && media.length === read.media.length) {
      try {
        conversation = await this.inModelUnit(conversation, media, finder.recordFile);
      } catch (error) {
        this.problems.caught(error, place);
        return null;
      }
      await this.lookAtBoxes(notices.pixelBoxes, conversation, media, finder.recordFile);
    }
    // Rejected answers may be wrong on purpose, their boxes too.
    const answerPlace = rejected ? { ...place, field: 'chosen' } : place;
    for (const message of conversation) {
      if (message.role !== 'assistant') continue;
      for (const { message: text, advice } of checkBoxes(messageText(message), this.options.boxes)) this.problems.error(text, advice, answerPlace);
    }
    if (this.problems.count > before) return null;
    const id = read.id ?? `${baseName(file)}#${sample}`;
    if (read.id !== null) this.checkId(read.id, place, notices);
    media.forEach((medium) => this.countMedium(medium));
    read.ignoredKeys.forEach((key) => notices.ignoredKeys.add(key));
    if (read.hasTruth === false) notices.withoutTruth++;
    if (objects === 'unused') notices.unplaced++;
    const extra = otherColumns(value as object, objects === 'placed' ? [...read.columns, 'objects'] : read.columns);
    return { id, conversation, ...(rejected && { rejected }), ...(extra && { extra }), media, place };
  }

  /** Answers of files whose unit is known, in the unit that the model is to learn. */
  private async inModelUnit(conversation: Conversation, media: readonly Media<PathFile>[], file: string): Promise<Conversation> {
    const { choices, boxes: unit, seenSize } = this.options;
    const inThousandths = choices?.thousandthFiles?.includes(file) ?? false;
    if (!(inThousandths || choices?.pixelFiles?.includes(file)) || !conversation.some((message) => message.role === 'assistant' && markedBoxes(messageText(message)).length > 0)) return conversation;
    if (inThousandths && unit !== 'pixels') return rewriteBoxes(conversation, THOUSANDTHS, THOUSANDTHS, Math.trunc);
    if (media.length !== 1 || media[0].kind !== 'image') throw fault(`The answer has boxes of one picture, and the sample ${media.length} images or videos: whose they are cannot be told.`, 'Write these boxes in the model’s unit, or leave the sample out.');
    const stored = await this.factsOf(media[0].file);
    if (unit === 'pixels' && !seenSize) throw fault('Boxes are to be written in pixels of the picture as the model sees it, and no model is loaded.', 'Load the model first.');
    const target = unit === 'pixels' && seenSize ? seenSize(stored) : THOUSANDTHS;
    return rewriteBoxes(conversation, inThousandths ? THOUSANDTHS : stored, target);
  }

  /** Answers about one image only: which image a box is of is not said. */
  private async lookAtBoxes(pixelBoxes: PixelBoxes, conversation: Conversation, media: readonly Media<PathFile>[], file: string): Promise<void> {
    const { pixelFiles, thousandthFiles } = this.options.choices ?? {};
    if (pixelFiles?.includes(file) || thousandthFiles?.includes(file)) return;
    if (this.options.boxes === 'pixels' || !pixelBoxes.wanted || media.length !== 1 || media[0].kind !== 'image') return;
    const answer = answerOf(conversation);
    const marked = markedBoxes(answer);
    const boxes = marked.length > 0 ? marked : extractBoxes(answer).map(({ box }) => box);
    if (boxes.length === 0) return;
    // An image that cannot be read is named when it is decoded.
    const size = await this.factsOf(media[0].file).catch(() => null);
    if (size) pixelBoxes.add(boxes, size);
  }

  private factsOf(image: PathFile): Promise<PictureFacts> {
    const facts = this.sizes.get(image) ?? readPictureFacts(image.file, image.path);
    this.sizes.set(image, facts);
    return facts;
  }

  private countMedium(medium: Media<PathFile>): void {
    if (medium.kind === 'image') this.usedMedia.images.add(medium.file);
    else this.usedMedia.videos.add(medium.kind === 'video' ? medium.file : medium.files[0]);
  }

  private checkId(id: string, place: ErrorPlace, notices: FileNotices): void {
    const first = this.seenIds.get(id);
    if (first) notices.repeatedId(id, place, first);
    else this.seenIds.set(id, place);
  }
}

function otherColumns(record: object, used: readonly string[]): Record<string, unknown> | null {
  const others = Object.entries(record).filter(([name]) => !used.includes(name));
  return others.length === 0 ? null : Object.fromEntries(others);
}
