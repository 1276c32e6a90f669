/** How a generation is split so that its cache stays small: groups of prompts, and waves of completions of a group. */
import type { Qwen3VLConfig } from '../families/qwen3-vl/config.ts';
import { MAX_LOGITS } from '../protocol/limits.ts';

/** A cache may take this much: answering should not need more memory than training. */
const MAX_CACHE_BYTES = 512 * 2 ** 20;
/** Prompt tokens that run at once: more brings no speed and takes activations. */
const MAX_PROMPT_TOKENS = 4096;

/** Consecutive prompts that run together, with all of their completions in one wave or one prompt's in several. */
export interface PromptGroup {
  firstPrompt: number;
  promptCount: number;
  /** Completions of each prompt in each wave; they sum up to numGenerations. */
  waves: number[];
}

export interface Room {
  /** Bytes of keys and values of one token. */
  bytesPerToken: number;
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
export function roomFor(config: Qwen3VLConfig, maxNewTokens: number, maxBindingBytes: number, cacheBytes = MAX_CACHE_BYTES): Room {
  const width = config.numKeyValueHeads * config.headDim;
  const perSequence = completionRows(maxNewTokens) * width * 4;
  const sequences = Math.min(Math.floor(maxBindingBytes / perSequence), Math.floor(MAX_LOGITS / config.vocabSize));
  return { bytesPerToken: 2 * config.numHiddenLayers * width * 4, cacheBytes, sequences: Math.max(1, sequences) };
}

/** Prompts of this length that fit at once, at least one. */
export function promptsThatFit(room: Room, promptTokens: number, maxNewTokens: number): number {
  const perPrompt = (promptTokens + completionRows(maxNewTokens)) * room.bytesPerToken;
  return Math.max(1, Math.min(room.sequences, Math.floor(room.cacheBytes / perPrompt)));
}

/** Splits prompts of the given lengths; a group has at least one prompt and a wave at least one completion of each. */
export function planGroups(room: Room, promptLengths: readonly number[], numGenerations: number, maxNewTokens: number): PromptGroup[] {
  const own = completionRows(maxNewTokens);
  const tokens = Math.floor(room.cacheBytes / room.bytesPerToken);
  const groups: PromptGroup[] = [];
  for (let first = 0; first < promptLengths.length; ) {
    let count = 0;
    let prompts = 0;
    while (first + count < promptLengths.length) {
      const longer = prompts + promptLengths[first + count];
      const sequences = (count + 1) * numGenerations;
      if (count > 0 && (longer > MAX_PROMPT_TOKENS || sequences > room.sequences || longer + sequences * own > tokens)) break;
      prompts = longer;
      count++;
    }
    const atOnce = Math.max(1, Math.min(Math.floor(room.sequences / count), Math.floor((tokens - prompts) / (own * count))));
    const waves: number[] = [];
    for (let left = numGenerations; left > 0; left -= atOnce) waves.push(Math.min(atOnce, left));
    groups.push({ firstPrompt: first, promptCount: count, waves });
    first += count;
  }
  return groups;
}
