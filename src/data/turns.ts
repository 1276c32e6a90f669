/** Turns as datasets spell them -> a conversation and its image paths. */
import * as v from 'valibot';
import type { ContentPart, Conversation, Message, Role } from '../processing/conversation.ts';
import { LorikeetError } from '../protocol/errors.ts';

export const pathsSchema = v.optional(v.nullable(v.union([v.string(), v.array(v.string())])));
const part = v.object({
  type: v.string(),
  text: v.optional(v.nullable(v.string())),
  image: v.optional(v.nullable(v.string())),
  image_url: v.optional(v.nullable(v.union([v.string(), v.object({ url: v.string() })]))),
});
/** {from, value} or {role, content}, content being text or typed parts. */
export const turnSchema = v.object({
  from: v.optional(v.string()),
  role: v.optional(v.string()),
  value: v.optional(v.string()),
  content: v.optional(v.union([v.string(), v.array(part)])),
});
export type RawTurn = v.InferOutput<typeof turnSchema>;

/** Columns that all record formats share. */
export const commonEntries = {
  id: v.optional(v.nullable(v.union([v.string(), v.number()]))),
  image: pathsSchema,
  images: pathsSchema,
  system: v.optional(v.nullable(v.string())),
};
export const COMMON_COLUMNS: readonly string[] = Object.keys(commonEntries);

const ROLES: Readonly<Record<string, Role>> = { human: 'user', user: 'user', gpt: 'assistant', assistant: 'assistant', system: 'system' };
const MAX_TURNS = 1000;
const MAX_IMAGES = 256;

/** A turn and the field of the record that it stands in, for error messages. */
export interface PlacedTurn {
  raw: RawTurn;
  field: string;
}

export interface TurnOptions {
  /**
   * Keeps the line break that stands between `<image>` and the text. The usual reading drops one on either side; a
   * model fine-tuned on prompts that begin with it needs it.
   */
  keepImageNewline?: boolean;
  /** Whether the conversation ends with an answer, or may end with a question. */
  ending?: 'answer' | 'any';
}

export interface TurnSource {
  system?: string | null;
  turns: readonly PlacedTurn[];
  /** Field that holds the turns, for faults of the conversation as a whole. */
  field: string;
  /** Images of the record's own list. */
  listed: readonly string[];
}

export interface PlacedConversation {
  conversation: Conversation;
  /** Paths as written, in the order of the conversation's image indices. */
  imagePaths: string[];
}

/** A fault of a record; file, line and sample are added by whoever knows them. */
export function fault(message: string, advice: string, field?: string): LorikeetError {
  return new LorikeetError('dataset', message, advice, field === undefined ? {} : { field });
}

/** @throws LorikeetError "dataset" naming the field that has not the expected type */
export function parseRecord<S extends v.GenericSchema>(schema: S, record: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, record);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const field = v.getDotPath(issue) ?? '';
  throw fault(`${field ? `Field ${field}` : 'The sample'}: ${issue.message}`, 'Correct this field.', field);
}

/** Images of `image` or `images`. @throws LorikeetError "dataset" where both are given */
export function listedImages({ image, images }: { image?: string | string[] | null; images?: string | string[] | null }): string[] {
  if (image && images) throw fault('The sample has both "image" and "images".', 'Keep one of them.', 'images');
  return [image ?? images ?? []].flat();
}

/** Text of a record's id, null where it has none. */
export function idText(id: string | number | null | undefined): string | null {
  return id === null || id === undefined ? null : String(id);
}

/** Role of a turn. @throws LorikeetError "dataset" for an unknown one */
export function roleOf({ from, role }: RawTurn, field: string): Role {
  const speaker = from ?? role;
  if (speaker === undefined) throw fault('A turn has neither "from" nor "role".', 'Name who speaks.', field);
  if (!Object.hasOwn(ROLES, speaker)) {
    throw fault(`Unknown role ${JSON.stringify(speaker.slice(0, 80))}.`, `Use one of ${Object.keys(ROLES).join(', ')}.`, `${field}.${from === undefined ? 'role' : 'from'}`);
  }
  return ROLES[speaker];
}

/**
 * Places the images in the turns: by `<image>` in the text, by image parts, or all at the very start.
 * @throws LorikeetError "dataset" naming the field
 */
export function placeTurns({ system, turns, field, listed }: TurnSource, { keepImageNewline = false, ending = 'answer' }: TurnOptions = {}): PlacedConversation {
  if (turns.length > MAX_TURNS) throw fault(`The sample has ${turns.length} turns, at most ${MAX_TURNS} are read.`, 'Split the conversation.', field);
  const slots = new ImageSlots(listed);
  const conversation: Conversation = system ? [{ role: 'system', content: [{ type: 'text', text: system }] }] : [];
  for (const turn of turns) conversation.push(readTurn(turn, slots, keepImageNewline ? '<image>' : /\n?<image>\n?/));
  if (slots.asked + slots.paths.length === 0) {
    conversation.find((message) => message.role === 'user')?.content.unshift(...listed.map(() => ({ type: 'image', index: slots.next() }) as const));
  }
  checkOrder(conversation, field, ending);
  slots.checkAllUsed();
  return { conversation, imagePaths: slots.paths };
}

/** Hands out image indices in order of appearance. */
class ImageSlots {
  readonly paths: string[] = [];
  asked = 0;

  constructor(private readonly listed: readonly string[]) {}

  /** Next image of the record's own list; the lack of one is found out at the end, with the whole number. */
  next(): number {
    const path = this.listed[this.asked++];
    return path === undefined ? -1 : this.paths.push(path) - 1;
  }

  /** An image named in place. */
  add(path: string): number {
    return this.paths.push(path) - 1;
  }

  checkAllUsed(): void {
    if (this.asked !== this.listed.length) {
      throw fault(`The text places ${this.asked} images, the sample lists ${this.listed.length}.`, 'Write one <image> for every image, or none to put them first.', 'image');
    }
    if (this.paths.length > MAX_IMAGES) throw fault(`The sample has ${this.paths.length} images, at most ${MAX_IMAGES} are read.`, 'Split the sample.', 'image');
  }
}

function readTurn({ raw, field }: PlacedTurn, slots: ImageSlots, placeholder: string | RegExp): Message {
  const body = raw.value ?? raw.content;
  const role = roleOf(raw, field);
  if (body === undefined) throw fault('A turn has neither "value" nor "content".', 'Add its text.', field);
  const pieces: ContentPart[] = [];
  const addText = (text: string) =>
    text.split(placeholder).forEach((piece, i) => {
      if (i > 0) pieces.push({ type: 'image', index: slots.next() });
      if (piece !== '') pieces.push({ type: 'text', text: piece });
    });
  if (typeof body === 'string') addText(body);
  else for (const [i, entry] of body.entries()) addPart(entry, `${field}.content.${i}`, slots, pieces, addText);
  if (role !== 'user' && pieces.some((piece) => piece.type !== 'text')) {
    throw fault(`An image stands in a turn of role ${role}.`, 'Put images into user turns.', field);
  }
  return { role, content: pieces };
}

function addPart(entry: v.InferOutput<typeof part>, field: string, slots: ImageSlots, pieces: ContentPart[], addText: (text: string) => void): void {
  if (entry.type === 'text') {
    if (typeof entry.text !== 'string') throw fault('A text part has no "text".', 'Add it.', `${field}.text`);
    addText(entry.text);
  } else if (entry.type === 'image' || entry.type === 'image_url') {
    const path = entry.image ?? (typeof entry.image_url === 'string' ? entry.image_url : entry.image_url?.url);
    pieces.push({ type: 'image', index: path === undefined ? slots.next() : slots.add(path) });
  } else {
    throw fault(`Unknown kind of content ${JSON.stringify(entry.type.slice(0, 80))}.`, 'Use text, image or image_url.', `${field}.type`);
  }
}

/** [system], user, assistant, user, assistant, …: no turn is empty, and the last is as `ending` says. */
function checkOrder(conversation: Conversation, field: string, ending: 'answer' | 'any'): void {
  const offset = conversation[0]?.role === 'system' ? 1 : 0;
  conversation.slice(offset).forEach((message, i) => {
    const expected: Role = i % 2 === 0 ? 'user' : 'assistant';
    if (message.role !== expected) throw fault(`Turn ${i + 1} should be of role ${expected}, it is ${message.role}.`, 'User and assistant must take turns, the user first.', field);
    const empty = !message.content.some((piece) => piece.type !== 'text' || piece.text.trim() !== '');
    if (empty) throw fault(message.role === 'assistant' ? `Answer ${(i + 1) / 2} is empty.` : `Question ${i / 2 + 1} is empty.`, 'Add its text or remove the sample.', field);
  });
  const count = conversation.length - offset;
  if (count === 0) throw fault('The conversation is empty.', 'Add a question and its answer.', field);
  if (count % 2 === 1 && ending === 'answer') {
    throw fault(count === 1 ? 'The conversation has no assistant turn.' : 'The last question has no answer.', 'Add the answer or remove the sample.', field);
  }
}
