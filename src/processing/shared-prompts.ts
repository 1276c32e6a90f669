/** Which samples of a batch begin with the same prompt, and how many of its tokens one copy can stand for. */
import { IGNORE_INDEX, type EncodedSample } from './types.ts';

/** Samples that follow one copy of their common beginning. */
export interface PromptGroup {
  /** Positions among the batch's samples. */
  members: readonly number[];
  /** Tokens of the copy; 0 for a sample on its own. */
  shared: number;
}

/**
 * Groups samples by the prompt that they continue, in the order of their first members.
 * @param prompts number of each sample's prompt, equal only where text, pictures and clips of the prompts are; left out: nothing is shared
 */
export function groupByPrompt(samples: readonly EncodedSample[], prompts?: readonly number[]): PromptGroup[] {
  const byPrompt = new Map<number, number[]>();
  samples.forEach((_, i) => {
    // Without numbers every sample is a prompt of its own.
    const prompt = prompts ? prompts[i] : i;
    byPrompt.set(prompt, [...(byPrompt.get(prompt) ?? []), i]);
  });
  return [...byPrompt.values()].flatMap((members) => {
    const shared = sharedTokens(members.map((i) => samples[i]));
    return shared > 0 ? [{ members, shared }] : members.map((i) => ({ members: [i], shared: 0 }));
  });
}

/**
 * Tokens from the start on that one copy can stand for: alike in id and positions, without labels, and with all pictures
 * and clips among them; 0 when there is nothing to gain.
 * @param samples that begin with the same prompt
 */
export function sharedTokens(samples: readonly EncodedSample[]): number {
  const [first, ...others] = samples;
  if (others.length === 0) return 0;
  let shared = Math.min(...samples.map(unlabelled));
  for (const other of others) {
    let t = 0;
    while (t < shared && sameToken(first, other, t)) t++;
    shared = t;
  }
  const grids = JSON.stringify(first.media.map(({ grid }) => grid));
  const whole = samples.every(({ media, visionRows }) => (visionRows.at(-1) ?? -1) < shared && JSON.stringify(media.map(({ grid }) => grid)) === grids);
  return whole ? shared : 0;
}

function unlabelled({ labels }: EncodedSample): number {
  const first = labels.findIndex((label) => label !== IGNORE_INDEX);
  return first < 0 ? labels.length : first;
}

function sameToken(a: EncodedSample, b: EncodedSample, t: number): boolean {
  const alike = (axis: number) => a.positionIds[axis * a.inputIds.length + t] === b.positionIds[axis * b.inputIds.length + t];
  return a.inputIds[t] === b.inputIds[t] && alike(0) && alike(1) && alike(2);
}
