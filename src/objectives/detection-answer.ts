/**
 * Detection answers: text -> objects. Coordinates are thousandths of the image's width and height.
 *
 * Three formats are known by name; anything else is searched for boxes and category names leniently, so that the
 * answers of a model that has not learnt the format yet still count for what they are.
 */
import type { LabelledBox } from '../protocol/messages.ts';

export type Box = LabelledBox['box'];

export interface DetectedObject {
  category: string;
  /** '' where the answer gives none. */
  status: string;
  box: Box;
  /** How sure the answer itself says it is, 0 to 1; only where it says so. */
  confidence?: number;
}

/**
 * "lines": header with the count, then three lines per object (number and category, status, box).
 * "inline": "1. category - 状态：… - 位置：<box>…</box>", one line per object, header optional.
 * "json": Qwen's [{"bbox_2d": [x1, y1, x2, y2], "label": …}].
 */
export type AnswerFormat = 'lines' | 'inline' | 'json';

export interface ParsedAnswer {
  objects: DetectedObject[];
  /** Null: no known format; boxes were collected leniently, if any. */
  format: AnswerFormat | null;
  /** True when the whole text is flawless in its format: syntax, announced count, numbering and proper boxes. */
  wellFormed: boolean;
  /** True for an answer that says in so many words that nothing was found. */
  saysNone: boolean;
}

/** Names to look for in free text, each with the category it stands for (itself, or e.g. a translation). */
export type CategoryNames = ReadonlyMap<string, string>;

/** The sentence of the "lines" and "inline" formats for images without objects. */
export const NOTHING_FOUND = '未检测到相关设备';

const TAGGED_BOX = String.raw`<box>\((\d+),(\d+)\),\((\d+),(\d+)\)</box>`;
const LINES_ITEM = new RegExp(String.raw`\n(\d+)\. (\S+)\n   状态：(\S+)\n   ${TAGGED_BOX}`, 'g');
const LINES_WHOLE = /^检测到(\d+)个设备：(?:\n\d+\. \S+\n {3}状态：\S+\n {3}<box>\(\d+,\d+\),\(\d+,\d+\)<\/box>)+$/;
const INLINE_ITEM = new RegExp(String.raw`^\s*(\d+)\.([^\n]+?)-[ \t]*状态[：:]([^\n]+?)-[ \t]*位置[：:][ \t]*${TAGGED_BOX}\s*$`);
const INLINE_HEADER = /^检测到(\d+)个/;
/** Longer lines are no list items; keeps the search through hostile text short. */
const MAX_ITEM_CHARACTERS = 2000;
const LOOSE_BOX = /\(?\[?(\d{1,4}),(\d{1,4})\]?\)?,\(?\[?(\d{1,4}),(\d{1,4})/g;
/** The innermost objects that have a box. */
const JSON_OBJECT = /\{[^{}]{0,400}"bbox(?:_2d)?"[^{}]{0,400}\}/g;
const SPACED_LIST = /\[\s?(\d{1,4}),\s(\d{1,4}),\s(\d{1,4}),\s(\d{1,4})\s?\]/g;
/** How far before a box its words may begin. */
const MAX_LABEL_CONTEXT = 200;
/** Longer texts are not searched for JSON: no answer is that long. */
const MAX_JSON_CHARACTERS = 200_000;

const NO_NAMES: CategoryNames = new Map();

/**
 * Reads an answer in whatever format it has.
 * @param names categories to find in free text; matched by the order of appearance, name i belonging to box i
 */
export function parseAnswer(text: string, names: CategoryNames = NO_NAMES): ParsedAnswer {
  if (text === NOTHING_FOUND) return { objects: [], format: null, wellFormed: true, saysNone: true };
  return parseLines(text) ?? parseInline(text) ?? parseJson(text, names) ?? parseLoosely(text, names);
}

/** A box with area, inside the image. */
export function isProperBox([x1, y1, x2, y2]: Box): boolean {
  return x1 >= 0 && y1 >= 0 && x1 < x2 && x2 <= 1000 && y1 < y2 && y2 <= 1000;
}

function parseLines(text: string): ParsedAnswer | null {
  const items = [...text.matchAll(LINES_ITEM)];
  if (items.length === 0) return null;
  const objects = items.map(([, , category, status, ...box]) => ({ category, status, box: box.map(Number) as Box }));
  const announced = LINES_WHOLE.exec(text);
  const wellFormed = announced !== null && Number(announced[1]) === items.length && countsUp(items) && objects.every((object) => isProperBox(object.box));
  return { objects, format: 'lines', wellFormed, saysNone: false };
}

function parseInline(text: string): ParsedAnswer | null {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const matches = lines.map((line) => (line.length > MAX_ITEM_CHARACTERS ? null : INLINE_ITEM.exec(line)));
  const items = matches.filter((match) => match !== null);
  if (items.length === 0) return null;
  const objects = items.map(([, , category, status, ...box]) => ({ category: category.trim(), status: status.trim(), box: box.map(Number) as Box }));
  const header = matches[0] === null ? INLINE_HEADER.exec(lines[0]) : null;
  const listLines = header ? lines.length - 1 : lines.length;
  const headerAgrees = header === null || Number(header[1]) === items.length;
  const wellFormed = listLines === items.length && headerAgrees && countsUp(items) && objects.every((object) => isProperBox(object.box));
  return { objects, format: 'inline', wellFormed, saysNone: false };
}

function countsUp(items: readonly RegExpMatchArray[]): boolean {
  return items.every((item, i) => Number(item[1]) === i + 1);
}

function parseJson(text: string, names: CategoryNames): ParsedAnswer | null {
  if (text.length > MAX_JSON_CHARACTERS) return null;
  const body = withoutCodeFence(text.trim());
  if (!body.startsWith('[') || !body.endsWith(']')) return null;
  let list: unknown;
  try {
    list = JSON.parse(body);
  } catch {
    return null;
  }
  if (!Array.isArray(list)) return null;
  const objects = list.map((entry) => jsonObject(entry, names));
  const found = objects.filter((object) => object !== null);
  if (list.length > 0 && found.length === 0) return null;
  return { objects: found, format: 'json', wellFormed: found.length === list.length && found.every((object) => isProperBox(object.box)), saysNone: list.length === 0 };
}

function withoutCodeFence(text: string): string {
  if (!text.startsWith('```') || !text.endsWith('```')) return text;
  return text.slice(text.startsWith('```json') ? 7 : 3, -3).trim();
}

function jsonObject(entry: unknown, names: CategoryNames): DetectedObject | null {
  if (typeof entry !== 'object' || entry === null) return null;
  const field = (name: string): unknown => (Object.hasOwn(entry, name) ? (entry as Record<string, unknown>)[name] : undefined);
  const box = field('bbox_2d') ?? field('bbox');
  if (!Array.isArray(box) || box.length !== 4 || !box.every((x) => typeof x === 'number' && Number.isFinite(x))) return null;
  const words = (value: unknown) => (typeof value === 'string' ? value : '');
  const label = words(field('label')) || words(field('category'));
  const confidence = field('confidence') ?? field('score');
  const sure = typeof confidence === 'number' && confidence >= 0 && confidence <= 1;
  return { category: names.get(label) ?? label, status: words(field('status')), box: box as Box, ...(sure && { confidence }) };
}

function parseLoosely(text: string, names: CategoryNames): ParsedAnswer {
  const boxes = [...text.matchAll(LOOSE_BOX)].map(([, ...box]) => box.map(Number) as Box);
  if (boxes.length === 0) return { objects: embeddedObjects(text, names), format: null, wellFormed: false, saysNone: false };
  const found = boxes.length > 0 && names.size > 0 ? (text.match(namePattern(names)) ?? []) : [];
  const objects = boxes.map((box, i) => ({ category: i < found.length ? names.get(found[i])! : '', status: '', box }));
  return { objects, format: null, wellFormed: false, saysNone: false };
}

/** Objects of JSON that stands alone, in prose, in an object of its own, or after a thought; else lists of four numbers as JSON writes them. */
function embeddedObjects(text: string, names: CategoryNames): DetectedObject[] {
  if (text.length > MAX_JSON_CHARACTERS) return [];
  const said = text.slice(text.lastIndexOf('</think>') + 1);
  const objects = [...said.matchAll(JSON_OBJECT)].flatMap(([whole]) => {
    try {
      return jsonObject(JSON.parse(whole), names) ?? [];
    } catch {
      return [];
    }
  });
  if (objects.length > 0) return objects;
  return [...said.matchAll(SPACED_LIST)].map(([, ...box]) => ({ category: '', status: '', box: box.map(Number) as Box }));
}

/** Longer names first, so that "traffic light" is not read as "light". */
function namePattern(names: CategoryNames): RegExp {
  const alternatives = [...names.keys()].sort((a, b) => b.length - a.length).map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(alternatives.join('|'), 'g');
}

/**
 * Every box of a text with the words that belong to it, for drawing; boxes without area or outside the image are left out.
 * @param pixelsOf size of the image whose pixels the text's boxes count; without it they are thousandths
 */
export function extractBoxes(text: string, pixelsOf?: { width: number; height: number }): LabelledBox[] {
  const parsed = parseAnswer(text);
  const loose = parsed.format === null ? looseLabels(text) : [];
  const labelled =
    loose.length > 0
      ? loose
      : parsed.objects.map(({ category, status, box }) => ({ box, label: status ? `${category}（${status}）` : category }));
  const scaled = pixelsOf ? labelled.map(({ box, label }) => ({ box: pixelsToThousandths(box, pixelsOf), label })) : labelled;
  return scaled.filter(({ box }) => isProperBox(box));
}

/** `image_size` of a stored prediction, [width, height]: there where the boxes of its texts are in pixels. */
export function imageSizeOf(value: unknown): { width: number; height: number } | undefined {
  if (!Array.isArray(value) || value.length !== 2 || !value.every((side) => typeof side === 'number' && side > 0)) return undefined;
  return { width: value[0] as number, height: value[1] as number };
}

/** A box in pixels of an image of this size, in thousandths of its sides. */
export function pixelsToThousandths([x1, y1, x2, y2]: Box, { width, height }: { width: number; height: number }): Box {
  return [(x1 * 1000) / width, (y1 * 1000) / height, (x2 * 1000) / width, (y2 * 1000) / height];
}

/** Words between the previous box and this one, reduced to what names the object. */
function looseLabels(text: string): LabelledBox[] {
  let from = 0;
  return [...text.matchAll(LOOSE_BOX)].map((match) => {
    const before = text.slice(Math.max(from, match.index - MAX_LABEL_CONTEXT), match.index);
    from = match.index + match[0].length;
    return { box: match.slice(1, 5).map(Number) as Box, label: labelIn(before) };
  });
}

function labelIn(before: string): string {
  const reference = before.match(/<\|object_ref_start\|>([^<]*)<\|object_ref_end\|>/) ?? before.match(/(?:名称|类别)[：:]\s*([^\n]+)/);
  if (reference) return reference[1].trim().slice(0, 40);
  const clause = before.replace(/<[^>]*>/g, '').split(/[\n；;。]/).at(-1)!;
  return clause.replace(/^[\s)\],，、.\d-]+|[\s([：:，,、-]+$/g, '').slice(-40);
}
