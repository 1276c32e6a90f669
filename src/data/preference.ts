/**
 * One record of a preference dataset -> a conversation that ends with the chosen answer, and the rejected one.
 *
 * Read are: `prompt`, `chosen` and `rejected` as texts with one image; the same as lists of turns, the prompt given or
 * repeated in both sides (TRL); `conversations` or `messages` with `chosen` and `rejected` turns (LLaMA-Factory);
 * `messages` that end with the chosen answer, with `rejected_response` or `rejected_messages` (ms-swift).
 */
import * as v from 'valibot';
import { type Message, messageText } from '../processing/conversation.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { COMMON_COLUMNS, commonEntries, fault, idText, listedImages, parseRecord, pathsSchema, type PlacedConversation, type PlacedTurn, placeTurns, type RawTurn, roleOf, type TurnOptions, turnSchema } from './turns.ts';

// Lists first: an object schema without required entries takes a list for an object.
const side = v.optional(v.nullable(v.union([v.string(), v.array(turnSchema), turnSchema])));
const turnList = v.optional(v.nullable(v.array(turnSchema)));
const recordSchema = v.object({
  ...commonEntries,
  prompt: v.optional(v.nullable(v.union([v.string(), v.array(turnSchema)]))),
  conversations: turnList,
  messages: turnList,
  chosen: side,
  rejected: side,
  rejected_response: v.optional(v.nullable(v.string())),
  rejected_messages: turnList,
  rejected_images: pathsSchema,
});
type PreferenceRecord = v.InferOutput<typeof recordSchema>;

/** Columns that `readPreferenceRecord` uses. */
export const PREFERENCE_COLUMNS: readonly string[] = [
  ...COMMON_COLUMNS,
  ...['prompt', 'conversations', 'messages', 'chosen', 'rejected', 'rejected_response', 'rejected_messages', 'rejected_images'],
];

export type Side = 'chosen' | 'rejected';

export interface PreferenceSample extends PlacedConversation {
  id: string | null;
  /** The other answer to the same prompt; of role assistant, without images. */
  rejected: Message;
}

/** True for a record that prefers one answer to another. */
export function isPreferenceRecord(record: unknown): boolean {
  if (typeof record !== 'object' || record === null) return false;
  const has = (name: string) => Object.hasOwn(record, name);
  return (has('chosen') && has('rejected')) || has('rejected_response') || has('rejected_messages');
}

/** @throws LorikeetError "dataset" naming the field, where the answers are missing or alike, or their prompts or images differ */
export function readPreferenceRecord(record: unknown, options: TurnOptions = {}): PreferenceSample {
  const parsed = parseRecord(recordSchema, record);
  const listed = listedImages(parsed);
  const sides = sidesOf(parsed, listed.length);
  const otherImages = parsed.rejected_images === null || parsed.rejected_images === undefined ? listed : [parsed.rejected_images].flat();
  if (!sameList(listed, otherImages)) throw differentImages('rejected_images');
  const chosen = place('chosen', sides.chosen, parsed, listed, options);
  const rejected = place('rejected', sides.rejected, parsed, listed, options);
  if (!sameList(chosen.imagePaths, rejected.imagePaths)) throw differentImages(sides.rejected.field);
  if (JSON.stringify(chosen.conversation.slice(0, -1)) !== JSON.stringify(rejected.conversation.slice(0, -1))) {
    throw fault('The chosen and the rejected side answer different prompts.', 'Both sides must begin with the same turns.', sides.rejected.field);
  }
  const answer = rejected.conversation.at(-1)!;
  if (messageText(chosen.conversation.at(-1)!) === messageText(answer)) {
    throw fault('The chosen and the rejected answer are the same.', 'Remove the pair, or make its rejected answer worse.', sides.rejected.field);
  }
  return { id: idText(parsed.id), ...chosen, rejected: answer };
}

/** All turns of one side, its answer last. */
interface SideTurns {
  turns: PlacedTurn[];
  field: string;
}

/** An answer given as text, one turn, or a list of turns. */
type Answer = NonNullable<PreferenceRecord['chosen']>;

function sidesOf(record: PreferenceRecord, images: number): { chosen: SideTurns; rejected: SideTurns } {
  const { chosen, rejected, rejected_response: response, rejected_messages: rejectedMessages } = record;
  if (given(response) + given(rejectedMessages) + given(rejected) > 1) {
    throw fault('The sample has several rejected answers.', 'Keep one of "rejected", "rejected_response" and "rejected_messages".', given(rejected) ? 'rejected' : 'rejected_response');
  }
  if (given(response) || given(rejectedMessages)) return swiftSides(record);
  if (!given(chosen)) throw fault('The sample has no chosen answer.', 'Add "chosen", or remove the sample.', 'chosen');
  if (!given(rejected)) throw fault('The sample has no rejected answer.', 'Add "rejected", or remove the sample.', 'rejected');
  const prompt = promptTurns(record, images);
  const inside = beginsWithPrompt(chosen!, 'chosen') && beginsWithPrompt(rejected!, 'rejected');
  if (prompt === null && !inside) {
    throw fault('The sample has no prompt.', 'Add "prompt", "conversations" or "messages", or begin both sides with the question.', 'prompt');
  }
  // Many sets repeat the question as text beside lists that hold it already.
  const before = prompt === null || (inside && typeof record.prompt === 'string') ? [] : prompt;
  return {
    chosen: { turns: [...before, ...answerTurns(chosen!, 'chosen')], field: 'chosen' },
    rejected: { turns: [...before, ...answerTurns(rejected!, 'rejected')], field: 'rejected' },
  };
}

/** `messages` is the chosen side as a whole; the rejected one shares everything before its last turn, or is given as a whole. */
function swiftSides({ messages, rejected_response: response, rejected_messages: other }: PreferenceRecord): { chosen: SideTurns; rejected: SideTurns } {
  if (!messages) throw fault('The sample has no "messages".', 'Add the turns, the chosen answer last.', 'messages');
  const turns = placed(messages, 'messages');
  const chosen = { turns, field: 'messages' };
  if (other) return { chosen, rejected: { turns: placed(other, 'rejected_messages'), field: 'rejected_messages' } };
  const field = 'rejected_response';
  return { chosen, rejected: { turns: [...turns.slice(0, -1), { raw: { role: 'assistant', content: response! }, field }], field } };
}

function promptTurns({ prompt, conversations, messages }: PreferenceRecord, images: number): PlacedTurn[] | null {
  if (given(prompt) + given(conversations) + given(messages) > 1) {
    throw fault('The sample has several prompts.', 'Keep one of "prompt", "conversations" and "messages".', 'prompt');
  }
  if (typeof prompt === 'string') return [promptTurn(prompt, images)];
  if (prompt) return placed(prompt, 'prompt');
  if (conversations) return placed(conversations, 'conversations');
  return messages ? placed(messages, 'messages') : null;
}

/** A prompt given as text: its images go first, each on a line of its own, unless the text says where they go. */
export function promptTurn(prompt: string, images: number): PlacedTurn {
  const value = prompt.includes('<image>') ? prompt : '<image>\n'.repeat(images) + prompt;
  return { raw: { from: 'user', value }, field: 'prompt' };
}

function answerTurns(answer: Answer, field: Side): PlacedTurn[] {
  if (typeof answer === 'string') return [{ raw: { role: 'assistant', content: answer }, field }];
  return Array.isArray(answer) ? placed(answer, field) : [{ raw: answer, field }];
}

function beginsWithPrompt(answer: Answer, field: Side): boolean {
  return Array.isArray(answer) && answer.length > 1 && roleOf(answer[0], `${field}.0`) !== 'assistant';
}

function place(name: Side, { turns, field }: SideTurns, { system }: PreferenceRecord, listed: readonly string[], options: TurnOptions): PlacedConversation {
  const last = turns.at(-1);
  if (!last || roleOf(last.raw, last.field) !== 'assistant') {
    throw fault(`The ${name} side does not end with an answer.`, 'Its last turn must be of role assistant.', field);
  }
  if (isBlank(last.raw)) throw fault(`The ${name} answer is empty.`, 'Add its text or remove the sample.', last.field);
  try {
    return placeTurns({ system, turns, field, listed }, { ...options, ending: 'answer' });
  } catch (error) {
    if (!(error instanceof LorikeetError)) throw error;
    throw new LorikeetError(error.code, `The ${name} side: ${error.message}`, error.advice, error.place, { cause: error });
  }
}

function isBlank({ value, content }: RawTurn): boolean {
  const body = value ?? content ?? '';
  return typeof body === 'string' ? body.trim() === '' : body.every((part) => part.type === 'text' && (part.text ?? '').trim() === '');
}

function placed(turns: readonly RawTurn[], field: string): PlacedTurn[] {
  return turns.map((raw, i) => ({ raw, field: `${field}.${i}` }));
}

function given(value: unknown): number {
  return value === null || value === undefined ? 0 : 1;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((path, i) => path === b[i]);
}

function differentImages(field: string): LorikeetError {
  return fault('The chosen and the rejected side show different images.', 'Both answers must be about the same images.', field);
}
