/** Records in a layout of their own -> conversations, by what somebody has said of their columns. */
import type { AnnotationChoices, ColumnMapping } from '../protocol/reading-choices.ts';
import { usualQuestion } from './annotations/annotation-records.ts';
import { PICTURE_COLUMNS } from './media-columns.ts';
import { isBlank, isPlainObject } from './media-reference.ts';
import { fileKind } from './paths.ts';
import type { RawRecord } from './records.ts';

type Columns = Readonly<Record<string, unknown>>;

/** Columns of captions and classes: what they mean is known without asking. */
const WORDS_COLUMNS = ['text', 'caption', 'captions', 'description', 'label', 'class'];
/** More different words than this are descriptions, not names of classes. */
const MAX_CLASSES = 60;

/** The mapping of records that hold a picture and words for it, and no question; null for others. */
export function captionMapping(records: readonly RawRecord[]): ColumnMapping | null {
  const rows = records.map(({ value }) => value);
  const all = (name: string, fits: (value: unknown) => boolean) => rows.every((row) => isPlainObject(row) && fits(row[name]));
  const image = PICTURE_COLUMNS.find((name) => all(name, (value) => typeof value === 'string' && fileKind(value) === 'image'));
  const answer = WORDS_COLUMNS.find((name) => all(name, (value) => typeof value === 'string' && value.trim() !== ''));
  return rows.length > 0 && image !== undefined && answer !== undefined ? { prompt: null, answer, image, boxes: null } : null;
}

/** Records with `messages`, `images` and `objects`; what a record lacks is left for its reader to name. */
export function mappedRecords(records: readonly RawRecord[], mapping: ColumnMapping, { language, prompt: chosen }: AnnotationChoices): RawRecord[] {
  const { prompt, answer, image, boxes } = mapping;
  const words = new Set(records.map(({ value }) => (isPlainObject(value) ? value[answer] : undefined)).filter((word) => typeof word === 'string'));
  const classes = ['label', 'class'].includes(answer) && words.size <= MAX_CLASSES ? words.size : 0;
  const usual = (chosen ?? usualQuestion(boxes ? 'json' : 'words', language, classes)).replaceAll('{labels}', [...words].join(language === 'zh' ? '、' : ', '));
  return records.map((record) => (isPlainObject(record.value) ? { ...record, value: mapped(record.value, { prompt, answer, image, boxes }, usual) } : record));
}

function mapped(record: Columns, { prompt, answer, image, boxes }: ColumnMapping, usual: string): unknown {
  const question = prompt === null ? usual : record[prompt];
  const picture = image === null || isBlank(record[image]) ? [] : [record[image]].flat();
  const used = [prompt, answer, image, boxes];
  const extra = Object.fromEntries(Object.entries(record).filter(([name]) => !used.includes(name)));
  const listed = boxes === null ? null : boxesIn(record[boxes]);
  const labels = listed === null ? [] : labelsIn(record[answer], listed.length);
  const answered = listed === null ? record[answer] : `[${listed.map(() => '{"bbox_2d": <bbox>, "label": "<ref-object>"}').join(', ')}]`;
  return {
    ...extra,
    messages: [{ role: 'user', content: textOf(question) }, { role: 'assistant', content: textOf(answered) }],
    images: picture,
    ...(listed !== null && listed.length > 0 && { objects: { ref: labels, bbox: listed } }),
  };
}

/** Numbers count as text; anything else is for the reader to refuse. */
function textOf(value: unknown): unknown {
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
}

/** Boxes of a cell: a list of four numbers, a list of such lists, or either as text. */
function boxesIn(value: unknown): unknown[] {
  let list = value;
  if (typeof value === 'string') {
    try {
      list = JSON.parse(value.trim().startsWith('[') ? value : `[${value}]`);
    } catch {
      return [value];
    }
  }
  if (isBlank(list)) return [];
  if (!Array.isArray(list)) return [list];
  return list.length > 0 && list.every((x) => typeof x === 'number') ? [list] : list;
}

/** One label for all boxes, or one each. */
function labelsIn(value: unknown, boxes: number): unknown[] {
  const labels = Array.isArray(value) ? value : typeof value === 'string' && value.trim().startsWith('[') ? (boxesIn(value)) : [value];
  return labels.length === 1 ? Array.from({ length: boxes }, () => labels[0]) : labels;
}
