/** How a generation is split so that its cache stays small: groups of prompts, and how many of their completions run at once. */
import type { Architecture } from '../families/architecture.ts';
import { MAX_LOGITS } from '../protocol/limits.ts';

/** A cache may take this much: answering should not need more memory than training. */
const MAX_CACHE_BYTES = 512 * 2 ** 20;
/** Prompt tokens that run at once: more brings no speed and takes activations. */
const MAX_PROMPT_TOKENS = 4096;

/** Prompts whose completions wait may take this share of the cache: each is one more that keeps places filled, and costs places. */
const WAITING_SHARE = 1 / 4;

/** Consecutive prompts that are computed together. */
export interface PromptGroup {
  firstPrompt: number;
  promptCount: number;
  /** Completions decoded at once; one that ends makes room for the next. */
  slots: number;
}

export interface Room {
  /** Bytes that layers keep of one token. */
  bytesPerToken: number;
  /** Bytes that layers keep of a sequence whatever its length. */
  bytesPerSequence: number;
  cacheBytes: number;
  /** Sequences that may be decoded together. */
  sequences: number;
}

/** Rows of a completion's own cache; rounded up so that sizes repeat. */
export const completionRows = (maxNewTokens: number): number => Math.ceil(maxNewTokens / 16) * 16;

/**
 * What a device has room for.
 * @param maxBindingBytes of a storage buffer
 */
export function roomFor({ config, shapes }: Pick<Architecture, 'config' | 'shapes'>, maxNewTokens: number, maxBindingBytes: number, cacheBytes = MAX_CACHE_BYTES): Room {
  const attending = shapes.text.filter(({ attends }) => attends);
  const widest = Math.max(0, ...attending.map(({ keys }) => keys));
  const state = Math.max(0, ...shapes.text.map((layer) => layer.state));
  const perSequence = Math.max(completionRows(maxNewTokens) * widest, state) * 4;
  const sequences = Math.min(Math.floor(maxBindingBytes / perSequence), Math.floor(MAX_LOGITS / config.vocabSize));
  return {
    bytesPerToken: attending.reduce((sum, { keys }) => sum + 2 * keys * 4, 0),
    bytesPerSequence: shapes.text.reduce((sum, layer) => sum + layer.state * 4, 0),
    cacheBytes,
    sequences: Math.max(1, sequences),
  };
}

/** Prompts of this length that fit at once, at least one. */
export function promptsThatFit(room: Room, promptTokens: number, maxNewTokens: number): number {
  const perPrompt = (promptTokens + completionRows(maxNewTokens)) * room.bytesPerToken + 2 * room.bytesPerSequence;
  return Math.max(1, Math.min(room.sequences, Math.floor(room.cacheBytes / perPrompt)));
}

/** Splits prompts of the given lengths; a group has at least one prompt and one slot. */
export function planGroups(room: Room, promptLengths: readonly number[], numGenerations: number, maxNewTokens: number): PromptGroup[] {
  const own = completionRows(maxNewTokens) * room.bytesPerToken + room.bytesPerSequence;
  const promptBytes = (count: number, tokens: number) => tokens * room.bytesPerToken + count * room.bytesPerSequence;
  const groups: PromptGroup[] = [];
  for (let first = 0; first < promptLengths.length; ) {
    let count = 0;
    let prompts = 0;
    while (first + count < promptLengths.length) {
      const longer = prompts + promptLengths[first + count];
      const sequences = (count + 1) * numGenerations;
      const bytes = promptBytes(count + 1, longer);
      const atOnce = sequences <= room.sequences && bytes + sequences * own <= room.cacheBytes;
      if (count > 0 && (longer > MAX_PROMPT_TOKENS || !(atOnce || bytes <= WAITING_SHARE * room.cacheBytes))) break;
      prompts = longer;
      count++;
    }
    const slots = Math.min(count * numGenerations, room.sequences, Math.floor((room.cacheBytes - promptBytes(count, prompts)) / own));
    groups.push({ firstPrompt: first, promptCount: count, slots: Math.max(1, slots) });
    first += count;
  }
  return groups;
}
