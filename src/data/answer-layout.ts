/**
 * A detection answer taken apart into its objects, in such a way that objects can be changed, removed and added and
 * everything else keeps its exact text: numbered lists (one line or several per object) and Qwen's JSON.
 */
import { type Box, NOTHING_FOUND } from '../objectives/detection-answer.ts';

export type LayoutFormat = 'numbered' | 'json';

/** What an object says; null where its text has no place for it. */
export interface ItemValues {
  category: string;
  status: string | null;
  box: Box;
}

/** One object: its own text and what the text says. */
export interface AnswerItem {
  text: string;
  values: ItemValues;
}

export interface AnswerLayout {
  format: LayoutFormat;
  /** Before the first object. */
  head: string;
  items: AnswerItem[];
  /** Between two objects; null where the answer has fewer than two. */
  between: string | null;
  /** After the last object. */
  tail: string;
}

const MAX_CHARACTERS = 100_000;
const ITEM_START = /^[ \t]*\d+\.[ \t]*\S/gm;
const NUMBER = /^([ \t]*)\d+(?=\.)/;
const CATEGORY = /^[ \t]*\d+\.[ \t]*(\S[^\n]*?)(?=[ \t]*(?:[（(]|-[ \t]*状态|\n|$))/d;
const STATUS = /状态[：:][ \t]*(\S[^\n]*?)(?=[ \t]*(?:-[ \t]*(?:原因|位置)|\n|$))/d;
const NUMBERED_BOX = /<box>(\(\d+, ?\d+\), ?\(\d+, ?\d+\))<\/box>/d;
const COORDINATE = /-?\d+(?:\.\d+)?/g;
const ANNOUNCED = /(检测到)\d+(?=个)/;
const NONE = /^未检测到[^\n]{0,20}$/;
const JSON_ITEM = /\{[^{}]*\}/g;
const JSON_LABEL = /"(?:label|category)"\s*:\s*("(?:[^"\\]|\\.)*")/d;
const JSON_STATUS = /"status"\s*:\s*("(?:[^"\\]|\\.)*")/d;
const JSON_BOX = /"bbox(?:_2d)?"\s*:\s*\[([^\]]*)\]/d;

const FIELDS: Readonly<Record<LayoutFormat, { category: RegExp; status: RegExp; box: RegExp }>> = {
  numbered: { category: CATEGORY, status: STATUS, box: NUMBERED_BOX },
  json: { category: JSON_LABEL, status: JSON_STATUS, box: JSON_BOX },
};

/** Null for an answer in no known format, or with an object that lacks a category or has not exactly one box. */
export function parseLayout(answer: string): AnswerLayout | null {
  if (answer.length > MAX_CHARACTERS) return null;
  if (NONE.test(answer.trim())) return { format: 'numbered', head: answer, items: [], between: null, tail: '' };
  const layout = answer.includes('"bbox') || /^\s*\[\s*\]\s*$/.test(answer) ? parseJsonLayout(answer) : parseNumbered(answer);
  // Whatever was not understood would get lost: such an answer is left alone.
  return layout && (layout.items.length === 0 || joined(layout) === answer) ? layout : null;
}

/** The item with some values changed; a status is only written where the text has a place for it. */
export function withValues(item: AnswerItem, format: LayoutFormat, changes: Partial<ItemValues>): AnswerItem {
  const { category, status, box } = changes;
  const fields = FIELDS[format];
  const write = (words: string) => (format === 'json' ? JSON.stringify(words) : words);
  let { text } = item;
  const replace = (field: RegExp, change: (before: string) => string) => {
    const [from, to] = field.exec(text)!.indices![1];
    text = text.slice(0, from) + change(text.slice(from, to)) + text.slice(to);
  };
  // Values that stay keep the spelling they have; so do the signs between a box's numbers.
  if (box) {
    let corner = 0;
    replace(fields.box, (before) => before.replace(COORDINATE, () => String(box[corner++])));
  }
  if (status && item.values.status !== null && status !== item.values.status) replace(fields.status, () => write(status));
  if (category !== undefined && category !== item.values.category) replace(fields.category, () => write(category));
  return { text, values: { ...item.values, ...changes, status: item.values.status === null ? null : (status ?? item.values.status) } };
}

/** Texts that an answer needs when it gets its first object, its second, or loses its last. */
export interface LayoutTexts {
  head: string;
  between: string;
  tail: string;
  none: string;
}

/** Texts of a format where no answer shows them. */
export const DEFAULT_TEXTS: Readonly<Record<LayoutFormat, LayoutTexts>> = {
  numbered: { head: '检测到1个设备：\n', between: '\n', tail: '', none: NOTHING_FOUND },
  json: { head: '[', between: ', ', tail: ']', none: '[]' },
};

/** The answer's text for other objects: numbered from 1, an announced count kept true. */
export function renderLayout(layout: AnswerLayout, items: readonly AnswerItem[], texts: LayoutTexts): string {
  if (items.length === 0) return texts.none;
  const { head, tail } = layout.items.length > 0 ? layout : texts;
  const numbered = layout.format === 'json' ? items : items.map((item, i) => ({ ...item, text: item.text.replace(NUMBER, (_, indent: string) => `${indent}${i + 1}`) }));
  const announced = layout.format === 'json' ? head : head.replace(ANNOUNCED, (_, words: string) => `${words}${items.length}`);
  return announced + numbered.map(({ text }) => text).join(layout.between ?? texts.between) + tail;
}

function joined({ head, items, between, tail }: AnswerLayout): string {
  return head + items.map(({ text }) => text).join(between ?? '') + tail;
}

function parseNumbered(answer: string): AnswerLayout | null {
  const starts = [...answer.matchAll(ITEM_START)].map((match) => match.index);
  if (starts.length === 0) return null;
  const pieces = starts.map((from, i) => answer.slice(from, starts[i + 1]));
  return assemble('numbered', answer.slice(0, starts[0]), pieces.map((piece) => piece.trimEnd()), pieces.map((piece) => piece.slice(piece.trimEnd().length)));
}

function parseJsonLayout(answer: string): AnswerLayout | null {
  const matches = [...answer.matchAll(JSON_ITEM)];
  if (matches.length === 0) return { format: 'json', head: answer, items: [], between: null, tail: '' };
  const ends = matches.map((match) => match.index + match[0].length);
  const gaps = ends.map((end, i) => answer.slice(end, matches[i + 1]?.index));
  return assemble('json', answer.slice(0, matches[0].index), matches.map(([text]) => text), gaps);
}

/** @param gaps what follows each piece */
function assemble(format: LayoutFormat, head: string, pieces: readonly string[], gaps: readonly string[]): AnswerLayout | null {
  const items = pieces.map((text) => readItem(text, format));
  if (!items.every((item) => item !== null)) return null;
  return { format, head, items, between: pieces.length > 1 ? gaps[0] : null, tail: gaps[gaps.length - 1] };
}

function readItem(text: string, format: LayoutFormat): AnswerItem | null {
  const { category, status, box } = FIELDS[format];
  const label = category.exec(text)?.[1];
  const corners = box.exec(text)?.[1].match(COORDINATE)?.map(Number);
  const boxes = text.match(new RegExp(box.source, 'g'))!;
  if (label === undefined || corners?.length !== 4 || boxes.length !== 1) return null;
  const read = (words: string | undefined): string | null => (words === undefined ? null : format === 'json' ? unquote(words) : words);
  const name = read(label);
  return name ? { text, values: { category: name, status: read(status.exec(text)?.[1]), box: corners as Box } } : null;
}

function unquote(words: string): string | null {
  try {
    return JSON.parse(words) as string;
  } catch {
    return null;
  }
}
