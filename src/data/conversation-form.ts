/**
 * The columns of a record that hold a conversation, in whatever layout -> turns.
 *
 * Lists of turns: `conversations`, `messages`, ms-swift's `conversation` of {human, assistant}, TRL's `prompt` and
 * `completion`. Two columns of text: alpaca's `instruction`, `input`, `output`; `query`, `response`; `question`,
 * `answer`; `prefix`, `suffix`; earlier rounds in `history`.
 */
import * as v from 'valibot';
import { isBlank, isGiven, isPlainObject } from './media-reference.ts';
import { fault, parseRecord } from './record-fault.ts';
import { type PlacedTurn, type RawTurn, turnSchema } from './turns.ts';

type Columns = Readonly<Record<string, unknown>>;

export interface ConversationForm {
  turns: PlacedTurn[];
  /** Field of the turns, for faults of the conversation as a whole. */
  field: string;
  /** Columns that were read. */
  columns: readonly string[];
}

/** Question and answer as two columns of text; the first pair that is there counts. */
const PAIRS = [
  ['instruction', 'output'],
  ['query', 'response'],
  ['question', 'answer'],
  ['question', 'response'],
  ['prompt', 'response'],
  ['prompt', 'answer'],
  ['prefix', 'suffix'],
  ['problem', 'solution'],
  ['input', 'output'],
] as const;

const turnList = v.array(turnSchema);
const rounds = v.array(v.looseObject({}));
const history = v.array(v.pipe(v.array(v.nullable(v.string())), v.length(2)));

/** Whether the record holds a conversation in a layout that is read. */
export function hasConversation(record: Columns): boolean {
  return ['conversations', 'messages', 'conversation'].some((name) => Object.hasOwn(record, name)) || isPromptAndCompletion(record) || pairOf(record) !== undefined;
}

/**
 * Finds the conversation.
 * @throws LorikeetError "dataset": none, or two; a field of another type
 */
export function conversationForm(record: Columns): ConversationForm {
  const lists = ['conversations', 'messages', 'conversation'].filter((name) => isGiven(record[name]));
  if (lists.length > 1) throw fault('A sample needs either "conversations" or "messages".', 'Keep one list of turns.', lists[1]);
  if (lists.length === 1) return { turns: turnsIn(record, lists[0]), field: lists[0], columns: lists };
  if (isPromptAndCompletion(record)) {
    return { turns: [...sideTurns(record, 'prompt', 'user'), ...sideTurns(record, 'completion', 'assistant')], field: 'completion', columns: ['prompt', 'completion'] };
  }
  const pair = pairOf(record);
  if (!pair) throw fault('A sample needs either "conversations" or "messages".', 'Add the list of turns, or columns such as "question" and "answer".', 'conversations');
  return pairForm(record, pair);
}

/** Turns of a column: a list of them, or rounds of {human, assistant}. */
export function turnsIn(record: Columns, name: string): PlacedTurn[] {
  const list = record[name];
  if (name === 'conversation' && Array.isArray(list) && list.every((entry) => isPlainObject(entry) && Object.hasOwn(entry, 'human'))) {
    return parseRecord(v.object({ conversation: rounds }), record).conversation.flatMap((round, i) => [
      textTurn('user', round.human, `${name}.${i}.human`),
      ...(isBlank(round.assistant) ? [] : [textTurn('assistant', round.assistant, `${name}.${i}.assistant`)]),
    ]);
  }
  const turns = parseRecord(v.object({ [name]: turnList }), record)[name];
  return turns.map((raw, i) => ({ raw, field: `${name}.${i}` }));
}

/** A turn whose text is the value of a column. @throws LorikeetError "dataset" unless it is text or a number */
export function textTurn(role: 'user' | 'assistant', value: unknown, field: string): PlacedTurn {
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw fault(`Field ${field}: expected text but received ${Array.isArray(value) ? 'a list' : isPlainObject(value) ? 'an object' : String(value).slice(0, 40)}.`, 'Correct this field.', field);
  }
  return { raw: { role, content: String(value) }, field };
}

/** The question of an alpaca record: the instruction, and its input on the next line (LLaMA-Factory's rule). */
export function instructionTurn(record: Columns, name: string): PlacedTurn {
  const question = textTurn('user', record[name], name);
  if (name !== 'instruction' || isBlank(record.input)) return question;
  return textTurn('user', `${question.raw.content as string}\n${textTurn('user', record.input, 'input').raw.content as string}`, name);
}

/** Earlier rounds of a record with columns of text, the oldest first. */
export function historyTurns(record: Columns): PlacedTurn[] {
  if (isBlank(record.history)) return [];
  const parsed = parseRecord(v.object({ history }), record);
  return parsed.history.flatMap(([question, answer], i) => [textTurn('user', question, `history.${i}.0`), textTurn('assistant', answer, `history.${i}.1`)]);
}

function isPromptAndCompletion(record: Columns): boolean {
  return isGiven(record.prompt) && Object.hasOwn(record, 'completion');
}

function pairOf(record: Columns): (typeof PAIRS)[number] | undefined {
  return PAIRS.find(([question, answer]) => Object.hasOwn(record, question) && Object.hasOwn(record, answer) && !isPlainObject(record[question]));
}

function pairForm(record: Columns, [question, answer]: (typeof PAIRS)[number]): ConversationForm {
  const turns = [...historyTurns(record), ...(question === 'prompt' ? sideTurns(record, question, 'user') : [instructionTurn(record, question)]), textTurn('assistant', record[answer], answer)];
  return { turns, field: answer, columns: [question, answer, 'history', ...(question === 'instruction' ? ['input'] : [])] };
}

/** A side given as text, or as a list of turns. */
function sideTurns(record: Columns, name: string, role: 'user' | 'assistant'): PlacedTurn[] {
  if (!Array.isArray(record[name])) return [isPlainObject(record[name]) ? { raw: parseRecord(v.object({ [name]: turnSchema }), record)[name] as RawTurn, field: name } : textTurn(role, record[name], name)];
  return turnsIn(record, name);
}
