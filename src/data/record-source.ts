/** Files of records, whoever made them -> records that the readers of samples know. */
import { DEFAULT_ANNOTATION_CHOICES, type ReadingChoices } from '../protocol/reading-choices.ts';
import type { PathFile } from '../protocol/messages.ts';
import type { AnnotationFormat, AnnotationSet } from './annotations/annotated-image.ts';
import { annotationRecords, labelsOf } from './annotations/annotation-records.ts';
import { isCoco, readCoco } from './annotations/coco.ts';
import { readDetectionRows } from './annotations/hugging-face.ts';
import { isLabelStudioTask, readLabelStudio } from './annotations/label-studio.ts';
import { isDatasetInfo, type Rename, renamesOf } from './dataset-info.ts';
import { captionMapping, mappedRecords } from './mapped-records.ts';
import { isPlainObject } from './media-reference.ts';
import { baseName } from './paths.ts';
import type { ProblemList } from './problems.ts';
import { NO_LIST, type RawRecord, readRecords } from './records.ts';

/** A file, or annotations that were put together from many. */
export type RecordEntry = PathFile | AnnotationSet;

export interface SourceRecords {
  records: RawRecord[];
  /** Rows that could not be read. */
  rejected: number;
  /** Pictures and clips that came in the file itself. */
  media?: readonly PathFile[];
  /** Whether the file says what it is and holds no records: nothing more is to be said of it. */
  silent: boolean;
}

export class RecordSource {
  /** Formats of annotation tools that were met. */
  readonly formats = new Set<AnnotationFormat>();
  /** Labels so far: training and validation are asked the same question. */
  private readonly labels = new Set<string>();
  private readonly renames = new Map<string, Rename>();

  constructor(
    private readonly problems: ProblemList,
    private readonly choices: ReadingChoices,
    /** Whether a record is of a layout that needs no mapping. */
    private readonly isKnown: (record: Record<string, unknown>) => boolean,
    /** As in `readRecords`. */
    private readonly head = Infinity,
  ) {}

  /** Reads what the files say of each other; before any of their records. */
  async learn(entries: readonly RecordEntry[]): Promise<void> {
    for (const entry of entries) {
      if (!('file' in entry) || baseName(entry.path) !== 'dataset_info.json') continue;
      const { document } = await readRecords(entry, this.problems);
      if (document && isDatasetInfo(entry.path, document)) for (const [name, rename] of renamesOf(document)) this.renames.set(name, rename);
    }
  }

  async read(entry: RecordEntry): Promise<SourceRecords> {
    if (!('file' in entry)) return this.annotated(entry);
    const { records, brokenLines, document, media } = await readRecords(entry, this.problems, this.head);
    const { path } = entry;
    if (document) {
      if (isCoco(document)) return this.annotated(readCoco(path, document, this.problems));
      if (isDatasetInfo(path, document)) return { records: [], rejected: 0, silent: true };
      this.problems.error(NO_LIST, 'Leave it out, or export the dataset as a list.', { file: path });
      return { records: [], rejected: 0, silent: true };
    }
    const values = records.map(({ value }) => value);
    if (values.length > 0 && values.every(isLabelStudioTask)) return this.annotated(readLabelStudio(path, values, this.problems));
    const explained = this.choices.mappings?.[path] !== undefined || this.renames.has(baseName(path)) || this.holdsKnown(records);
    const detections = explained ? null : readDetectionRows(path, records, this.problems);
    if (detections) {
      const annotated = this.annotated(detections);
      return { ...annotated, rejected: annotated.rejected + brokenLines, ...(media && { media }) };
    }
    return { records: this.mapped(path, this.renamed(path, records)), rejected: brokenLines, silent: false, ...(media && { media }) };
  }

  private annotated(set: AnnotationSet): SourceRecords {
    this.formats.add(set.format);
    for (const label of labelsOf(set)) this.labels.add(label);
    return { records: annotationRecords(set, this.labels, this.choices.annotations ?? DEFAULT_ANNOTATION_CHOICES), rejected: set.rejected, silent: set.rejected > 0 };
  }

  private renamed(path: string, records: RawRecord[]): RawRecord[] {
    const rename = this.renames.get(baseName(path));
    return rename ? records.map((record) => ({ ...record, value: rename(record.value) })) : records;
  }

  private holdsKnown(records: readonly RawRecord[]): boolean {
    return records.some(({ value }) => isPlainObject(value) && this.isKnown(value));
  }

  private mapped(path: string, records: RawRecord[]): RawRecord[] {
    const annotations = this.choices.annotations ?? DEFAULT_ANNOTATION_CHOICES;
    const chosen = this.choices.mappings?.[path];
    if (chosen) return mappedRecords(records, chosen, annotations);
    if (this.holdsKnown(records)) return records;
    const captions = captionMapping(records);
    return captions ? mappedRecords(records, captions, annotations) : records;
  }
}
