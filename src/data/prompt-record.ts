/**
 * One record of a dataset of prompts -> a conversation that ends with the true answer, or with the question where the
 * record knows no answer.
 *
 * Any conversation format is read, its last answer being the truth; so are rows of `prompt` (text, or turns as TRL has
 * them) or another column with the question, and the truth in a column of its own.
 */
import * as v from 'valibot';
import { hasConversation, instructionTurn, turnsIn } from './conversation-form.ts';
import { COMMON_COLUMNS, readLlavaRecord } from './llava.ts';
import { listedMedia } from './media-columns.ts';
import { isGiven } from './media-reference.ts';
import { promptTurn } from './preference.ts';
import { fault, parseRecord } from './record-fault.ts';
import { commonEntries, idText, type PlacedConversation, type PlacedTurn, placeTurns, roleOf, type TurnOptions } from './turns.ts';

/** Columns that may hold the truth; the first one that is there counts. */
const TRUTH_COLUMNS = ['solution', 'answer', 'ground_truth'] as const;
const PROMPT_FIELDS = ['prompt', 'conversations', 'messages'] as const;
/** Questions as text; they count where none of the above is there. */
const QUESTION_FIELDS = ['question', 'query', 'problem', 'instruction'] as const;

const truth = v.optional(v.nullable(v.union([v.string(), v.number(), v.boolean()])));
const recordSchema = v.looseObject(commonEntries);
const truthSchema = v.object({ solution: truth, answer: truth, ground_truth: truth });

export interface PromptSample extends PlacedConversation {
  id: string | null;
  /** Whether the conversation ends with a true answer. */
  hasTruth: boolean;
  /** Columns that were read. */
  columns: readonly string[];
}

/** Whether the record holds a prompt in a layout that is read. */
export function hasPrompt(record: Readonly<Record<string, unknown>>): boolean {
  return [...PROMPT_FIELDS, ...QUESTION_FIELDS].some((name) => Object.hasOwn(record, name)) || hasConversation(record);
}

/** @throws LorikeetError "dataset" naming the field */
export function readPromptRecord(record: unknown, options: TurnOptions = {}): PromptSample {
  const parsed = parseRecord(recordSchema, record);
  const fields = PROMPT_FIELDS.filter((name) => isGiven(parsed[name]));
  const [question] = fields.length === 0 ? QUESTION_FIELDS.filter((name) => isGiven(parsed[name])) : [];
  if (fields.length === 0 && question === undefined && hasConversation(parsed)) return { ...readLlavaRecord(record, options), hasTruth: true };
  if (fields.length !== 1 && question === undefined) {
    throw fault('A sample needs one of "prompt", "conversations" and "messages".', 'Keep or add one of them.', fields[0] ?? 'prompt');
  }
  const field = question ?? fields[0];
  const listed = listedMedia(parsed);
  const turns: PlacedTurn[] = question ? [instructionTurn(parsed, question)] : typeof parsed[field] === 'string' ? [promptTurn(parsed[field], listed)] : turnsIn(parsed, field);
  const last = turns.at(-1);
  let hasTruth = last !== undefined && roleOf(last.raw, last.field) === 'assistant';
  const columns = [...COMMON_COLUMNS, ...PROMPT_FIELDS, ...(question ? [question] : []), ...(question === 'instruction' ? ['input'] : [])];
  if (!hasTruth) {
    const truths = parseRecord(truthSchema, record);
    const column = TRUTH_COLUMNS.find((name) => truths[name] !== null && truths[name] !== undefined) ?? answerBeside(parsed, question);
    if (column !== undefined) {
      const text = String(parsed[column]);
      if (text.trim() === '') throw fault(`The true answer in "${column}" is empty.`, 'Add its text, or remove the column.', column);
      turns.push({ raw: { from: 'assistant', value: text }, field: column });
      columns.push(column);
      hasTruth = true;
    }
  }
  return { id: idText(parsed.id), ...placeTurns({ system: parsed.system, turns, field, listed }, { ...options, ending: 'any' }), hasTruth, columns };
}

/** The answer that goes with a question's column. */
function answerBeside(record: Readonly<Record<string, unknown>>, question: string | undefined): string | undefined {
  return ({ query: ['response'], instruction: ['output'], question: ['response'] } as Record<string, string[]>)[question ?? '']?.find((name) => ['string', 'number'].includes(typeof record[name]));
}
