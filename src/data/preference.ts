/**
 * One record of a preference dataset -> a conversation that ends with the chosen answer, and the rejected one.
 *
 * Read are: `prompt` (or `question`, `query`, `instruction` with `input`), `chosen` and `rejected` as texts; the same as
 * lists of turns, the prompt given or repeated in both sides (TRL); `conversations` or `messages` with `chosen` and
 * `rejected` turns (LLaMA-Factory); `chosen_messages` and `rejected_messages`; `messages` that end with the chosen
 * answer, with `rejected_response` or `rejected_messages` (ms-swift); OpenAI's `input`, `preferred_output` and
 * `non_preferred_output`.
 */
import * as v from 'valibot';
import { type Message, messageText } from '../processing/conversation.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { instructionTurn } from './conversation-form.ts';
import { COMMON_COLUMNS } from './llava.ts';
import { imagesOf, type ListedMedia, listedMedia } from './media-columns.ts';
import { hasPlaces } from './media-places.ts';
import { isBlank as isNothing, isPlainObject, type MediaReference, pathsOf } from './media-reference.ts';
import { fault, parseRecord } from './record-fault.ts';
import { bodyOf, commonEntries, idText, type PlacedConversation, type PlacedTurn, placeTurns, type RawTurn, roleOf, type TurnOptions, turnSchema } from './turns.ts';

// Lists first: an object schema without required entries takes a list for an object.
const side = v.optional(v.nullable(v.union([v.string(), v.array(turnSchema), turnSchema])));
const turnList = v.optional(v.nullable(v.array(turnSchema)));
const recordSchema = v.looseObject({
  ...commonEntries,
  prompt: v.optional(v.nullable(v.union([v.string(), v.array(turnSchema)]))),
  conversations: turnList,
  messages: turnList,
  chosen: side,
  rejected: side,
  rejected_response: v.optional(v.nullable(v.union([v.string(), v.array(turnSchema), turnSchema]))),
  chosen_messages: turnList,
  rejected_messages: turnList,
  preferred_output: side,
  non_preferred_output: side,
});
type PreferenceRecord = v.InferOutput<typeof recordSchema>;

const QUESTION_COLUMNS = ['question', 'query', 'instruction'] as const;
const ANSWER_COLUMNS = ['chosen', 'rejected', 'rejected_response', 'chosen_messages', 'rejected_messages', 'preferred_output', 'non_preferred_output'] as const;

/** Columns that `readPreferenceRecord` uses. */
export const PREFERENCE_COLUMNS: readonly string[] = [...COMMON_COLUMNS, 'prompt', 'conversations', 'messages', ...QUESTION_COLUMNS, 'input', ...ANSWER_COLUMNS, 'rejected_images'];

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
  return (has('chosen') && has('rejected')) || has('rejected_response') || has('rejected_messages') || has('non_preferred_output');
}

/** @throws LorikeetError "dataset" naming the field, where the answers are missing or alike, or their prompts or images differ */
export function readPreferenceRecord(record: unknown, options: TurnOptions = {}): PreferenceSample {
  const parsed = withUsualNames(parseRecord(recordSchema, record));
  const listed = listedMedia(parsed);
  const sides = sidesOf(parsed, listed);
  if (!isNothing(parsed.rejected_images) && !sameMedia(listed.images, imagesOf(parsed, 'rejected_images'))) throw differentImages('rejected_images');
  const chosen = place('chosen', sides.chosen, parsed, listed, options);
  const rejected = place('rejected', sides.rejected, parsed, listed, options);
  if (!sameMedia(chosen.media, rejected.media)) throw differentImages(sides.rejected.field);
  if (rejected.conversation.at(-1)!.learnt === false || chosen.conversation.at(-1)!.learnt === false) {
    throw fault('An answer of the pair is marked as not to be learnt.', 'Both answers of a pair are needed: remove the mark, or the sample.', sides.chosen.field);
  }
  if (JSON.stringify(chosen.conversation.slice(0, -1)) !== JSON.stringify(rejected.conversation.slice(0, -1))) {
    throw fault('The chosen and the rejected side answer different prompts.', 'Both sides must begin with the same turns.', sides.rejected.field);
  }
  const answer = rejected.conversation.at(-1)!;
  if (messageText(chosen.conversation.at(-1)!) === messageText(answer)) {
    throw fault('The chosen and the rejected answer are the same.', 'Remove the pair, or make its rejected answer worse.', sides.rejected.field);
  }
  return { id: idText(parsed.id), ...chosen, rejected: answer };
}

/** The record with the columns of other tools under the names of TRL's. */
function withUsualNames(record: PreferenceRecord): PreferenceRecord {
  const { chosen_messages: chosen, preferred_output: preferred, non_preferred_output: other } = record;
  if (given(chosen) > 0) return { ...record, chosen, chosen_messages: null, rejected: record.rejected ?? record.rejected_messages, rejected_messages: null };
  if (given(other) === 0) return record;
  const asked = isPlainObject(record.input) ? parseRecord(v.object({ input: v.object({ messages: v.array(turnSchema) }) }), record).input.messages : undefined;
  return { ...record, messages: record.messages ?? asked, chosen: preferred, rejected: other, preferred_output: null, non_preferred_output: null };
}

/** All turns of one side, its answer last. */
interface SideTurns {
  turns: PlacedTurn[];
  field: string;
}

/** An answer given as text, one turn, or a list of turns. */
type Answer = NonNullable<PreferenceRecord['chosen']>;

function sidesOf(record: PreferenceRecord, listed: ListedMedia): { chosen: SideTurns; rejected: SideTurns } {
  const { chosen, rejected, rejected_response: response, rejected_messages: rejectedMessages } = record;
  if (given(response) + given(rejectedMessages) + given(rejected) > 1) {
    throw fault('The sample has several rejected answers.', 'Keep one of "rejected", "rejected_response" and "rejected_messages".', given(rejected) ? 'rejected' : 'rejected_response');
  }
  if (given(response) || given(rejectedMessages)) return swiftSides(record);
  if (given(record.rejected_images) && !given(rejected)) throw differentImages('rejected_images');
  if (!given(chosen)) throw fault('The sample has no chosen answer.', 'Add "chosen", or remove the sample.', 'chosen');
  if (!given(rejected)) throw fault('The sample has no rejected answer.', 'Add "rejected", or remove the sample.', 'rejected');
  const prompt = promptTurns(record, listed);
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
  return { chosen, rejected: { turns: [...turns.slice(0, -1), ...answerTurns(response!, field)], field } };
}

function promptTurns(record: PreferenceRecord, listed: ListedMedia): PlacedTurn[] | null {
  const { prompt, conversations, messages } = record;
  if (given(prompt) + given(conversations) + given(messages) > 1) {
    throw fault('The sample has several prompts.', 'Keep one of "prompt", "conversations" and "messages".', 'prompt');
  }
  if (typeof prompt === 'string') return [promptTurn(prompt, listed)];
  if (prompt) return placed(prompt, 'prompt');
  if (conversations) return placed(conversations, 'conversations');
  if (messages) return placed(messages, 'messages');
  const question = QUESTION_COLUMNS.find((name) => given(record[name]) > 0);
  return question === undefined ? null : [instructionTurn(record, question)];
}

/** A prompt given as text: its pictures and clips go first, each on a line of its own, unless the text says where they go. */
export function promptTurn(prompt: string, { images, videos }: ListedMedia): PlacedTurn {
  const value = hasPlaces(prompt) ? prompt : '<image>\n'.repeat(images.length) + '<video>\n'.repeat(videos.length) + prompt;
  return { raw: { from: 'user', value }, field: 'prompt' };
}

function answerTurns(answer: Answer, field: string): PlacedTurn[] {
  if (typeof answer === 'string') return [{ raw: { role: 'assistant', content: answer }, field }];
  return Array.isArray(answer) ? placed(answer, field) : [{ raw: answer, field }];
}

function beginsWithPrompt(answer: Answer, field: Side): boolean {
  return Array.isArray(answer) && answer.length > 1 && roleOf(answer[0], `${field}.0`) !== 'assistant';
}

function place(name: Side, { turns, field }: SideTurns, { system }: PreferenceRecord, listed: ListedMedia, options: TurnOptions): PlacedConversation {
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

function isBlank(raw: RawTurn): boolean {
  const body = bodyOf(raw) ?? '';
  return typeof body === 'string' ? body.trim() === '' : body.every((part) => part.type === 'text' && isNothing(part.text ?? part.value));
}

function placed(turns: readonly RawTurn[], field: string): PlacedTurn[] {
  return turns.map((raw, i) => ({ raw, field: `${field}.${i}` }));
}

function given(value: unknown): number {
  return value === null || value === undefined ? 0 : 1;
}

function sameMedia(a: readonly MediaReference[], b: readonly MediaReference[]): boolean {
  return JSON.stringify(a.map(pathsOf)) === JSON.stringify(b.map(pathsOf));
}

function differentImages(field: string): LorikeetError {
  return fault('The chosen and the rejected side show different images or videos.', 'Both answers must be about the same ones.', field);
}
