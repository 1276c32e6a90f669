/** Records that are for another way of training, or say what cannot be honoured: refused by name. */
import type { DatasetKind } from './dataset.ts';
import { isBlank } from './media-reference.ts';
import { fault } from './record-fault.ts';

/** LLaMA-Factory's and ms-swift's marks of a wanted or unwanted answer (KTO). */
const KTO_COLUMNS = ['label', 'kto_tag'] as const;
/** They belong into the prompt, where they are not rendered. */
const PROMPT_COLUMNS = ['tools', 'functions'] as const;

/**
 * Rewards may be told anything; learning from such records would teach something else than they say.
 * @throws LorikeetError "dataset" naming the column
 */
export function refuseOtherKinds(record: unknown, kind: DatasetKind): void {
  if (kind === 'prompts' || typeof record !== 'object' || record === null) return;
  const value = (name: string): unknown => (Object.hasOwn(record, name) ? (record as Record<string, unknown>)[name] : undefined);
  const kto = KTO_COLUMNS.find((name) => typeof value(name) === 'boolean');
  if (kto !== undefined) {
    throw fault(`"${kto}" says whether the answer is wanted: this is a sample for KTO, which is not supported.`, 'Keep the wanted answers without this column, or make pairs of wanted and unwanted ones for DPO.', kto);
  }
  const unread = PROMPT_COLUMNS.find((name) => !isBlank(value(name)) && !isEmptyList(value(name)));
  if (unread !== undefined) throw fault(`The sample lists "${unread}", which are not written into the prompt here.`, 'Write them into the system turn, or leave the sample out.', unread);
}

function isEmptyList(value: unknown): boolean {
  return (Array.isArray(value) && value.length === 0) || value === '[]';
}
