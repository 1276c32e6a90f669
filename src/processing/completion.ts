/** A prompt and the token ids that were sampled after it. */
import { invariant } from '../protocol/errors.ts';
import { countLabels, IGNORE_INDEX, type EncodedSample } from './types.ts';

export interface CompletionOptions {
  /** Id of the new sample; the prompt's own by default. */
  id?: string;
  /** Must not be among the sampled ids: each one stands for a part of an image. */
  imageTokenId: number;
}

/**
 * Appends sampled ids as they are: text that is decoded and tokenised again may give other ids, whose probabilities
 * nobody sampled. Labels fall on the sampled ids and nowhere else; positions count on from the prompt's, alike on all
 * axes; images are shared.
 * @param prompt S tokens
 * @param ids L sampled ids, with the end of the turn unless the answer was cut
 * @returns S + L tokens
 */
export function withCompletion(prompt: EncodedSample, ids: readonly number[], { id = prompt.id, imageTokenId }: CompletionOptions): EncodedSample {
  invariant(!ids.includes(imageTokenId), 'withCompletion: an image token among the sampled ids');
  const before = prompt.inputIds.length;
  const length = before + ids.length;
  const inputIds = new Int32Array(length);
  inputIds.set(prompt.inputIds);
  inputIds.set(ids, before);
  const labels = new Int32Array(length).fill(IGNORE_INDEX);
  labels.set(ids, before);
  const positionIds = new Int32Array(3 * length);
  for (let axis = 0; axis < 3; axis++) {
    positionIds.set(prompt.positionIds.subarray(axis * before, (axis + 1) * before), axis * length);
    for (let t = before; t < length; t++) positionIds[axis * length + t] = t + prompt.ropeDelta;
  }
  return { ...prompt, id, inputIds, labels, labelTokens: countLabels(labels), positionIds };
}
