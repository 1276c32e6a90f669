/** Turns as datasets spell them -> a conversation and the pictures and clips it names. */
import * as v from 'valibot';
import type { ContentPart, Conversation, Message, Role } from '../processing/conversation.ts';
import type { ListedMedia } from './media-columns.ts';
import { partPieces, partSchema } from './content-part.ts';
import { splitAtPlaces } from './media-places.ts';
import type { MediaReference } from './media-reference.ts';
import { MediaSlots } from './media-slots.ts';
import { fault, shown } from './record-fault.ts';
import { refuseControlTokens } from './control-tokens.ts';
import { isLearnt, refuseUnreadKeys, thoughtsOf } from './turn-flags.ts';

const spokenText = v.optional(v.nullable(v.union([v.string(), v.number()])));
/** {from, value} or {role, content}, content being text or typed parts. */
export const turnSchema = v.looseObject({
  from: v.optional(v.nullable(v.string())),
  role: v.optional(v.nullable(v.string())),
  value: spokenText,
  content: v.optional(v.nullable(v.union([v.string(), v.number(), v.array(partSchema)]))),
});
export type RawTurn = v.InferOutput<typeof turnSchema>;

/** Columns that all record formats share, beside those that list media. */
export const commonEntries = {
  id: v.optional(v.nullable(v.union([v.string(), v.number()]))),
  system: v.optional(v.nullable(v.string())),
};

const ROLES: Readonly<Record<string, Role>> = { human: 'user', user: 'user', gpt: 'assistant', assistant: 'assistant', system: 'system' };
const MAX_TURNS = 1000;

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
  /** Pictures and clips of the record's own lists. */
  listed: ListedMedia;
}

export interface PlacedConversation {
  conversation: Conversation;
  /** Pictures and clips as written, in the order of the conversation's indices. */
  media: MediaReference[];
  /** Keys of content parts that were left alone, such as "max_pixels". */
  ignoredKeys: string[];
}

/** Text of a record's id, null where it has none. */
export function idText(id: string | number | null | undefined): string | null {
  return id === null || id === undefined ? null : String(id);
}

/** Role of a turn. @throws LorikeetError "dataset" for an unknown one */
export function roleOf({ from, role }: RawTurn, field: string): Role {
  const speaker = from ?? role;
  if (speaker === undefined || speaker === null) throw fault('A turn has neither "from" nor "role".', 'Name who speaks.', field);
  if (!Object.hasOwn(ROLES, speaker)) {
    throw fault(`Unknown role ${shown(speaker)}.`, `Use one of ${Object.keys(ROLES).join(', ')}.`, `${field}.${from ? 'from' : 'role'}`);
  }
  return ROLES[speaker];
}

/** What a turn says: its "value", or its "content". */
export function bodyOf({ value, content }: RawTurn): string | v.InferOutput<typeof partSchema>[] | undefined {
  const body = value ?? content ?? undefined;
  return typeof body === 'number' ? String(body) : body;
}

/**
 * Places pictures and clips in the turns: by tags in the text, by parts of their kind, or all at the very start.
 * @throws LorikeetError "dataset" naming the field
 */
export function placeTurns({ system, turns, field, listed }: TurnSource, { keepImageNewline = false, ending = 'answer' }: TurnOptions = {}): PlacedConversation {
  if (turns.length > MAX_TURNS) throw fault(`The sample has ${turns.length} turns, at most ${MAX_TURNS} are read.`, 'Split the conversation.', field);
  if (system) refuseControlTokens(system, 'system');
  const slots = new MediaSlots(listed);
  const ignored = new Set<string>();
  const conversation: Conversation = system ? [{ role: 'system', content: [{ type: 'text', text: system }] }] : [];
  for (const turn of turns) conversation.push(readTurn(turn, slots, keepImageNewline, ignored));
  if (!slots.anyPlaced) conversation.find((message) => message.role === 'user')?.content.unshift(...slots.all());
  checkOrder(conversation, field, ending);
  slots.checkAllUsed();
  return { conversation, media: slots.media, ignoredKeys: [...ignored] };
}

function readTurn({ raw, field }: PlacedTurn, slots: MediaSlots, keepNewlines: boolean, ignored: Set<string>): Message {
  const body = bodyOf(raw);
  const role = roleOf(raw, field);
  if (body === undefined) throw fault('A turn has neither "value" nor "content".', 'Add its text.', field);
  refuseUnreadKeys(raw, field);
  const pieces = typeof body === 'string' ? splitAtPlaces(body, keepNewlines, field) : body.flatMap((entry, i) => partPieces(entry, `${field}.content.${i}`, keepNewlines, ignored));
  const content = pieces.map((piece): ContentPart => (piece.type === 'text' ? piece : slots.part(piece, field)));
  const media = content.find((piece) => piece.type !== 'text');
  if (role !== 'user' && media) throw fault(`${media.type === 'image' ? 'An image' : 'A video'} stands in a turn of role ${role}.`, 'Put images and videos into user turns.', field);
  const reasoning = thoughtsOf(raw, role, field);
  return { role, ...(reasoning !== null && { reasoning }), content, ...(!isLearnt(raw, role, field) && { learnt: false }) };
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
