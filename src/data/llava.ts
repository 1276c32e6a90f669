/**
 * One record of a LLaVA or ShareGPT-like dataset -> a conversation and its image paths.
 *
 * Both spellings are read: `conversations` of {from, value} and `messages` of {role, content}, content being text or
 * typed parts; images in `image` or `images`, placed by `<image>` in the text, by image parts, or at the very start.
 */
import * as v from 'valibot';
import type { ContentPart, Conversation, Message, Role } from '../processing/conversation.ts';
import { LorikeetError } from '../protocol/errors.ts';

const paths = v.optional(v.nullable(v.union([v.string(), v.array(v.string())])));
const part = v.object({
  type: v.string(),
  text: v.optional(v.nullable(v.string())),
  image: v.optional(v.nullable(v.string())),
  image_url: v.optional(v.nullable(v.union([v.string(), v.object({ url: v.string() })]))),
});
const turn = v.object({
  from: v.optional(v.string()),
  role: v.optional(v.string()),
  value: v.optional(v.string()),
  content: v.optional(v.union([v.string(), v.array(part)])),
});
const recordSchema = v.object({
  id: v.optional(v.nullable(v.union([v.string(), v.number()]))),
  image: paths,
  images: paths,
  system: v.optional(v.nullable(v.string())),
  conversations: v.optional(v.array(turn)),
  messages: v.optional(v.array(turn)),
});

const ROLES: Readonly<Record<string, Role>> = { human: 'user', user: 'user', gpt: 'assistant', assistant: 'assistant', system: 'system' };
const MAX_TURNS = 1000;
const MAX_IMAGES = 256;

export interface LlavaSample {
  /** Null if the record gives none. */
  id: string | null;
  conversation: Conversation;
  /** Paths as written, in the order of the conversation's image indices. */
  imagePaths: string[];
}

export interface LlavaOptions {
  /**
   * Keeps the line break that stands between `<image>` and the text. The usual reading drops one on either side; a
   * model fine-tuned on prompts that begin with it needs it.
   */
  keepImageNewline?: boolean;
}

/** True for a record of a preference dataset, which has no single answer to learn. */
export function isPreferenceRecord(record: unknown): boolean {
  return typeof record === 'object' && record !== null && Object.hasOwn(record, 'chosen') && Object.hasOwn(record, 'rejected');
}

function fault(message: string, advice: string, field?: string): LorikeetError {
  return new LorikeetError('dataset', message, advice, field === undefined ? {} : { field });
}

/** @throws LorikeetError "dataset" naming the field */
export function readLlavaRecord(record: unknown, { keepImageNewline = false }: LlavaOptions = {}): LlavaSample {
  const parsed = v.safeParse(recordSchema, record);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    const field = v.getDotPath(issue) ?? '';
    throw fault(`${field ? `Field ${field}` : 'The sample'}: ${issue.message}`, 'Correct this field.', field);
  }
  const { id, image, images, system, conversations, messages } = parsed.output;
  if (!conversations === !messages) {
    throw fault('A sample needs either "conversations" or "messages".', 'Add the list of turns.', 'conversations');
  }
  if (image && images) throw fault('The sample has both "image" and "images".', 'Keep one of them.', 'images');
  const field = conversations ? 'conversations' : 'messages';
  const turns = (conversations ?? messages)!;
  if (turns.length > MAX_TURNS) throw fault(`The sample has ${turns.length} turns, at most ${MAX_TURNS} are read.`, 'Split the conversation.', field);

  const listed = [image ?? images ?? []].flat();
  const slots = new ImageSlots(listed);
  const conversation: Conversation = system ? [{ role: 'system', content: [{ type: 'text', text: system }] }] : [];
  turns.forEach((raw, i) => conversation.push(readTurn(raw, `${field}.${i}`, slots, keepImageNewline ? '<image>' : /\n?<image>\n?/)));
  if (slots.asked + slots.paths.length === 0) {
    conversation.find((message) => message.role === 'user')?.content.unshift(...listed.map(() => ({ type: 'image', index: slots.next() }) as const));
  }
  checkOrder(conversation, field);
  slots.checkAllUsed();
  return { id: id === null || id === undefined ? null : String(id), conversation, imagePaths: slots.paths };
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

function readTurn(raw: v.InferOutput<typeof turn>, field: string, slots: ImageSlots, placeholder: string | RegExp): Message {
  const speaker = raw.from ?? raw.role;
  const body = raw.value ?? raw.content;
  if (speaker === undefined) throw fault('A turn has neither "from" nor "role".', 'Name who speaks.', field);
  if (body === undefined) throw fault('A turn has neither "value" nor "content".', 'Add its text.', field);
  if (!Object.hasOwn(ROLES, speaker)) {
    throw fault(`Unknown role ${JSON.stringify(speaker.slice(0, 80))}.`, `Use one of ${Object.keys(ROLES).join(', ')}.`, `${field}.${raw.from === undefined ? 'role' : 'from'}`);
  }
  const role = ROLES[speaker];
  const pieces: ContentPart[] = [];
  const addText = (text: string) =>
    text.split(placeholder).forEach((piece, i) => {
      if (i > 0) pieces.push({ type: 'image', index: slots.next() });
      if (piece !== '') pieces.push({ type: 'text', text: piece });
    });
  if (typeof body === 'string') addText(body);
  else for (const [i, entry] of body.entries()) addPart(entry, `${field}.content.${i}`, slots, pieces, addText);
  if (role !== 'user' && pieces.some((piece) => piece.type === 'image')) {
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

/** [system], user, assistant, user, assistant, …: ends with an answer, and no turn is empty. */
function checkOrder(conversation: Conversation, field: string): void {
  const offset = conversation[0]?.role === 'system' ? 1 : 0;
  conversation.slice(offset).forEach((message, i) => {
    const expected: Role = i % 2 === 0 ? 'user' : 'assistant';
    if (message.role !== expected) throw fault(`Turn ${i + 1} should be of role ${expected}, it is ${message.role}.`, 'User and assistant must take turns, the user first.', field);
    const empty = !message.content.some((piece) => piece.type === 'image' || piece.text.trim() !== '');
    if (empty) throw fault(message.role === 'assistant' ? `Answer ${(i + 1) / 2} is empty.` : `Question ${i / 2 + 1} is empty.`, 'Add its text or remove the sample.', field);
  });
  const count = conversation.length - offset;
  if (count === 0) throw fault('The conversation is empty.', 'Add a question and its answer.', field);
  if (count % 2 === 1) throw fault(count === 1 ? 'The conversation has no assistant turn.' : 'The last question has no answer.', 'Add the answer or remove the sample.', field);
}
