/** Answers of a packed batch of prompts, greedy or sampled: prompts run once, their completions share them. */
import { free } from '../model/parts/free.ts';
import { passContext, type PassContext } from '../model/parts/pass-context.ts';
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

export interface SideBySideOptions extends Omit<DecodingOptions, 'onTokens'> {
  onTokens?: (fresh: readonly (readonly number[])[], done: number, total: number, answerer: number) => boolean | Promise<boolean>;
  /** Called before and after the look at the pictures that answerers share, so that it can be timed: the GPU is waited for. */
  onLook?: (when: 'begun' | 'done') => void;
}

/**
 * Decodes every prompt `numGenerations` times; answer p · numGenerations + g belongs to prompt p. No logits are read back.
 * @param ropeDeltas per prompt, rotary position of the first new token minus the prompt's length
 * @returns answers; those that `onTokens` cut off have what they had, and no stopId
 * @throws LorikeetError "config" for settings outside their range
 */
export async function generate(model: VisionLanguageModel, context: PassContext, prompts: PackedBatch, ropeDeltas: readonly number[], options: DecodingOptions): Promise<GeneratedAnswer[]> {
  const [answers] = await generateSideBySide(model, [{ context, sees: 'itself' }], prompts, ropeDeltas, options);
  return answers;
}

/** One of several that answer the same prompts: the base model, or it with an adapter. */
export interface Answerer {
  context: PassContext;
  /** Whether its pictures are those that the base model sees; an adapter on the vision tower sees for itself. */
  sees: 'as base' | 'itself';
}

/**
 * The same for several answerers, prompt group by prompt group, one answerer after the other. What the vision tower makes of
 * the pictures is computed once for all that see as the base model does; the decoder reads the prompts for each, since an
 * adapter changes its keys and values.
 * @param options onTokens is also told whose tokens they are
 * @returns per answerer; the answers of all are there as far as they came when `onTokens` ended it
 */
export async function generateSideBySide(
  model: VisionLanguageModel, answerers: readonly Answerer[], prompts: PackedBatch, ropeDeltas: readonly number[], options: SideBySideOptions,
): Promise<GeneratedAnswer[][]> {
  checkOptions(options);
  const { maxNewTokens, numGenerations } = options;
  const { gpu } = model;
  const lengths = sampleLengths(prompts);
  const room = roomFor(model.architecture, maxNewTokens, gpu.device.limits.maxStorageBufferBindingSize, options.cacheBytes);
  const all = answerers.map(() => Array.from({ length: lengths.length * numGenerations }, (): GeneratedAnswer => ({ ids: [], stopId: null })));
  for (const { firstPrompt, promptCount, slots } of planGroups(room, lengths, numGenerations, maxNewTokens)) {
    const group = sliceBatch(prompts, firstPrompt, promptCount, model.config.spatialMergeSize);
    const deltas = ropeDeltas.slice(firstPrompt, firstPrompt + promptCount);
    const sequences = Array.from({ length: promptCount * numGenerations }, (_, i) => ({ index: firstPrompt * numGenerations + i, prompt: Math.floor(i / numGenerations) }));
    options.onLook?.('begun');
    const seen = answerers.some(({ sees }) => sees === 'as base') ? model.see(passContext(gpu, null, null), group) : null;
    try {
      if (options.onLook) {
        await gpu.finish();
        options.onLook('done');
      }
      for (const [which, { context, sees }] of answerers.entries()) {
        const answers = all[which];
        const onRead = (fresh: ReadonlyMap<number, number[]>) => {
          const done = answers.reduce((sum, { ids, stopId }) => sum + (stopId === null ? ids.length : maxNewTokens), 0) / answers.length;
          return options.onTokens?.(answers.map((_, i) => fresh.get(i) ?? []), Math.floor(done), maxNewTokens, which) ?? true;
        };
        const prefilled = prefill(model, context, group, sees === 'as base' ? seen : null);
        try {
          if (!(await decodeWave(model, context, prefilled, deltas, sequences, answers, { ...options, slots, onRead }))) return all;
        } finally {
          prefilled.dispose();
        }
      }
    } finally {
      free(seen?.merged, ...(seen?.deepstack ?? []));
    }
  }
  return all;
}

function checkOptions({ maxNewTokens, numGenerations, sampling, repetitionPenalty = 1, withProbabilities }: SideBySideOptions): void {
  invariant(!withProbabilities || (sampling === null && repetitionPenalty === 1), 'probabilities of tokens that were not chosen by them alone');
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
