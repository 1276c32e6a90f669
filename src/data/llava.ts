/**
 * One record with a conversation -> the conversation and what it shows.
 *
 * The layouts are those of `conversationForm`; pictures and clips come from columns such as `image`, `images`, `video`
 * and `videos`, placed by tags in the text, by parts, or at the very start.
 */
import * as v from 'valibot';
import { conversationForm } from './conversation-form.ts';
import { listedMedia, MEDIA_COLUMNS } from './media-columns.ts';
import { parseRecord } from './record-fault.ts';
import { commonEntries, idText, type PlacedConversation, placeTurns, type TurnOptions } from './turns.ts';

const recordSchema = v.looseObject(commonEntries);

export interface LlavaSample extends PlacedConversation {
  /** Null if the record gives none. */
  id: string | null;
  /** Columns that were read. */
  columns: readonly string[];
}

/** @throws LorikeetError "dataset" naming the field */
export function readLlavaRecord(record: unknown, options: TurnOptions = {}): LlavaSample {
  const parsed = parseRecord(recordSchema, record);
  const { turns, field, columns } = conversationForm(parsed);
  const { id, system } = parsed;
  return { id: idText(id), ...placeTurns({ system, turns, field, listed: listedMedia(parsed) }, options), columns: [...COMMON_COLUMNS, ...columns] };
}

/** Columns that readers of all kinds use. */
export const COMMON_COLUMNS: readonly string[] = [...Object.keys(commonEntries), ...MEDIA_COLUMNS];
