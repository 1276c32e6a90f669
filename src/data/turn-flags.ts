/** What a turn says beside its text: whether it is to be learnt, and what cannot be read. */
import type { Role } from '../processing/conversation.ts';
import { refuseControlTokens } from './control-tokens.ts';
import { isBlank } from './media-reference.ts';
import { fault, shown } from './record-fault.ts';

/** ms-swift's `loss` and `loss_scale`, OpenAI's `weight`, LLaMA-Factory's `loss_weight`, Axolotl's `train`. */
const FLAGS = ['loss', 'weight', 'loss_weight', 'loss_scale', 'train'] as const;
/** They change the prompt in ways that are not rendered here. */
const UNREAD = ['tool_calls', 'function_call', 'tool_call_id'] as const;

/**
 * Whether a turn carries loss; false where one of its flags says so.
 * @throws LorikeetError "dataset" naming the flag: a share between none and all, or a question that is to be learnt
 */
export function isLearnt(raw: Readonly<Record<string, unknown>>, role: Role, field: string): boolean {
  let learnt = true;
  for (const name of FLAGS) {
    const flag = raw[name];
    if (isBlank(flag)) continue;
    const wanted = flag === true || flag === 1 ? true : flag === false || flag === 0 ? false : null;
    if (wanted === null) throw fault(`"${name}" of a turn is ${shown(JSON.stringify(flag), 40)}.`, 'A turn is learnt (true, 1) or not (false, 0); shares between are not supported.', `${field}.${name}`);
    // OpenAI and LLaMA-Factory mark answers only; a question's weight of 1 asks for what is not done.
    if (wanted && role !== 'assistant') throw fault(`"${name}" asks to learn a turn of role ${role}.`, 'Only answers are learnt: remove the flag, or make it false.', `${field}.${name}`);
    learnt &&= wanted;
  }
  return role !== 'assistant' || learnt;
}

/**
 * Thoughts that a turn keeps apart from its answer, null where it has none.
 * @throws LorikeetError "dataset" when they are no text, or stand in a turn that is no answer
 */
export function thoughtsOf({ reasoning_content: thoughts }: Readonly<Record<string, unknown>>, role: Role, field: string): string | null {
  if (isBlank(thoughts)) return null;
  const place = `${field}.reasoning_content`;
  if (typeof thoughts !== 'string') throw fault(`"reasoning_content" of a turn is ${shown(JSON.stringify(thoughts), 40)}.`, 'Write the thoughts as one text.', place);
  if (role !== 'assistant') throw fault(`"reasoning_content" stands in a turn of role ${role}.`, 'Only answers have thoughts: remove it there.', place);
  refuseControlTokens(thoughts, place);
  return thoughts;
}

/** @throws LorikeetError "dataset" naming a key whose content would be lost */
export function refuseUnreadKeys(raw: Readonly<Record<string, unknown>>, field: string): void {
  const name = UNREAD.find((key) => !isBlank(raw[key]) && !(Array.isArray(raw[key]) && raw[key].length === 0));
  if (name !== undefined) throw fault(`A turn has "${name}", which is not read.`, 'Write what it says into the text, or leave the sample out.', `${field}.${name}`);
}
