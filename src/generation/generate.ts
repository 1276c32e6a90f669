/** Answers of a packed batch of prompts, greedy or sampled: prompts run once, their completions share them. */
import type { PassContext } from '../model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../model/vision-language-model.ts';
import { sampleLengths, sliceBatch } from '../processing/slice-batch.ts';
import type { PackedBatch } from '../processing/types.ts';
import { LorikeetError, invariant } from '../protocol/errors.ts';
import type { GeneratedAnswer, GenerationOptions } from './options.ts';
import { planGroups, roomFor } from './plan.ts';
import { prefill } from './prefill.ts';
import { decodeWave } from './wave.ts';

export interface DecodingOptions extends Omit<GenerationOptions, 'adapter'> {
  /** Most bytes of keys and values held at once. */
  cacheBytes?: number;
}

/**
 * Decodes every prompt `numGenerations` times; answer p · numGenerations + g belongs to prompt p. No logits are read back.
 * @param ropeDeltas per prompt, rotary position of the first new token minus the prompt's length
 * @returns answers; those that `onTokens` cut off have what they had, and no stopId
 * @throws LorikeetError "config" for settings outside their range
 */
export async function generate(model: VisionLanguageModel, context: PassContext, prompts: PackedBatch, ropeDeltas: readonly number[], options: DecodingOptions): Promise<GeneratedAnswer[]> {
  checkOptions(options);
  const { maxNewTokens, numGenerations } = options;
  const lengths = sampleLengths(prompts);
  const room = roomFor(model.architecture, maxNewTokens, context.gpu.device.limits.maxStorageBufferBindingSize, options.cacheBytes);
  const groups = planGroups(room, lengths, numGenerations, maxNewTokens);
  const answers: GeneratedAnswer[] = Array.from({ length: lengths.length * numGenerations }, () => ({ ids: [], stopId: null }));
  const onRead = (fresh: ReadonlyMap<number, number[]>) => {
    const done = answers.reduce((sum, { ids, stopId }) => sum + (stopId === null ? ids.length : maxNewTokens), 0) / answers.length;
    return options.onTokens?.(answers.map((_, i) => fresh.get(i) ?? []), Math.floor(done), maxNewTokens) ?? true;
  };
  for (const { firstPrompt, promptCount, slots } of groups) {
    const prefilled = prefill(model, context, sliceBatch(prompts, firstPrompt, promptCount, model.config.spatialMergeSize));
    const deltas = ropeDeltas.slice(firstPrompt, firstPrompt + promptCount);
    const sequences = Array.from({ length: promptCount * numGenerations }, (_, i) => ({ index: firstPrompt * numGenerations + i, prompt: Math.floor(i / numGenerations) }));
    try {
      if (!(await decodeWave(model, context, prefilled, deltas, sequences, answers, { ...options, slots, onRead }))) return answers;
    } finally {
      prefilled.dispose();
    }
  }
  return answers;
}

function checkOptions({ maxNewTokens, numGenerations, sampling, repetitionPenalty = 1 }: DecodingOptions): void {
  invariant(maxNewTokens > 0 && numGenerations > 0, 'generation of nothing');
  invariant(sampling !== null || numGenerations === 1, 'greedy answers to one prompt are all the same');
  const within = (ok: boolean, field: string, expected: string, got: number) => {
    if (!ok) throw new LorikeetError('config', `${field} must be ${expected}; it is ${got}.`, 'Change it in the settings.', { field });
  };
  const penalty = sampling?.repetitionPenalty ?? repetitionPenalty;
  within(penalty > 0 && Number.isFinite(penalty), 'repetition_penalty', 'above 0', penalty);
  if (!sampling) return;
  within(sampling.temperature > 0 && Number.isFinite(sampling.temperature), 'temperature', 'above 0', sampling.temperature);
  within(Number.isInteger(sampling.topK) && sampling.topK >= 0, 'top_k', 'a whole number from 0 on', sampling.topK);
  within(sampling.topP > 0 && sampling.topP <= 1, 'top_p', 'above 0 and at most 1', sampling.topP);
}
