/**
 * One record of a dataset of prompts -> a conversation that ends with the true answer, or with the question where the
 * record knows no answer.
 *
 * Any conversation format is read, its last answer being the truth; so are rows of `prompt` (text, or turns as TRL has
 * them) with the truth in a column of its own.
 */
import * as v from 'valibot';
import { promptTurn } from './preference.ts';
import { COMMON_COLUMNS, commonEntries, fault, idText, listedImages, parseRecord, type PlacedConversation, type PlacedTurn, placeTurns, roleOf, type TurnOptions, turnSchema } from './turns.ts';

/** Columns that may hold the truth; the first one that is there counts. */
const TRUTH_COLUMNS = ['solution', 'answer', 'ground_truth'] as const;

const truth = v.optional(v.nullable(v.union([v.string(), v.number(), v.boolean()])));
const turnList = v.optional(v.nullable(v.array(turnSchema)));
const recordSchema = v.object({
  ...commonEntries,
  prompt: v.optional(v.nullable(v.union([v.string(), v.array(turnSchema)]))),
  conversations: turnList,
  messages: turnList,
});
const truthSchema = v.object({ solution: truth, answer: truth, ground_truth: truth });

const PROMPT_COLUMNS = [...COMMON_COLUMNS, 'prompt', 'conversations', 'messages'];

export interface PromptSample extends PlacedConversation {
  id: string | null;
  /** Whether the conversation ends with a true answer. */
  hasTruth: boolean;
  /** Columns that were read. */
  columns: readonly string[];
}

/** @throws LorikeetError "dataset" naming the field */
export function readPromptRecord(record: unknown, options: TurnOptions = {}): PromptSample {
  const { id, image, images, system, prompt, conversations, messages } = parseRecord(recordSchema, record);
  const listed = listedImages({ image, images });
  const forms = { prompt, conversations, messages };
  const fields = (['prompt', 'conversations', 'messages'] as const).filter((name) => forms[name] !== null && forms[name] !== undefined);
  if (fields.length !== 1) {
    throw fault('A sample needs one of "prompt", "conversations" and "messages".', 'Keep or add one of them.', fields[0] ?? 'prompt');
  }
  const [field] = fields;
  const form = forms[field]!;
  const turns: PlacedTurn[] = typeof form === 'string' ? [promptTurn(form, listed.length)] : form.map((raw, i) => ({ raw, field: `${field}.${i}` }));
  const last = turns.at(-1);
  let hasTruth = last !== undefined && roleOf(last.raw, last.field) === 'assistant';
  let columns: readonly string[] = PROMPT_COLUMNS;
  if (!hasTruth) {
    const truths = parseRecord(truthSchema, record);
    const column = TRUTH_COLUMNS.find((name) => truths[name] !== null && truths[name] !== undefined);
    if (column !== undefined) {
      const text = String(truths[column]);
      if (text.trim() === '') throw fault(`The true answer in "${column}" is empty.`, 'Add its text, or remove the column.', column);
      turns.push({ raw: { from: 'assistant', value: text }, field: column });
      columns = [...PROMPT_COLUMNS, column];
      hasTruth = true;
    }
  }
  return { id: idText(id), ...placeTurns({ system, turns, field, listed }, { ...options, ending: 'any' }), hasTruth, columns };
}
