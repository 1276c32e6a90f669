/**
 * One record of a LLaVA or ShareGPT-like dataset -> a conversation and its image paths.
 *
 * Both spellings are read: `conversations` of {from, value} and `messages` of {role, content}, content being text or
 * typed parts; images in `image` or `images`, placed by `<image>` in the text, by image parts, or at the very start.
 */
import * as v from 'valibot';
import { COMMON_COLUMNS, commonEntries, fault, idText, listedImages, parseRecord, type PlacedConversation, placeTurns, type TurnOptions, turnSchema } from './turns.ts';

const recordSchema = v.object({
  ...commonEntries,
  conversations: v.optional(v.array(turnSchema)),
  messages: v.optional(v.array(turnSchema)),
});

/** Columns that `readLlavaRecord` uses. */
export const LLAVA_COLUMNS: readonly string[] = [...COMMON_COLUMNS, 'conversations', 'messages'];

export interface LlavaSample extends PlacedConversation {
  /** Null if the record gives none. */
  id: string | null;
}

/** @throws LorikeetError "dataset" naming the field */
export function readLlavaRecord(record: unknown, options: TurnOptions = {}): LlavaSample {
  const { id, image, images, system, conversations, messages } = parseRecord(recordSchema, record);
  if (!conversations === !messages) {
    throw fault('A sample needs either "conversations" or "messages".', 'Add the list of turns.', 'conversations');
  }
  const field = conversations ? 'conversations' : 'messages';
  const turns = (conversations ?? messages)!.map((raw, i) => ({ raw, field: `${field}.${i}` }));
  return { id: idText(id), ...placeTurns({ system, turns, field, listed: listedImages({ image, images }) }, options) };
}
