/** Answers of the real engine: what is drawn is what the trainer's own pass says, however the work is split. */
import { describe, expect, it } from 'vitest';
import { generate, generateSideBySide, type DecodingOptions } from '../../src/generation/generate.ts';
import { roomFor } from '../../src/generation/plan.ts';
import { passContext } from '../../src/model/parts/pass-context.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import { sampleLengths, sliceBatch } from '../../src/processing/slice-batch.ts';
import type { PackedBatch } from '../../src/processing/types.ts';
import type { GeneratedAnswer, SamplingSettings } from '../../src/generation/options.ts';
import type { AdaptedModel } from '../../src/training/adapted-model.ts';
import { plainChoice, plainGreedy, plainProbabilities } from '../reference/sampling.ts';
import { useGpu } from './open.ts';
import { targetLogits, withAnswer } from './teacher-forcing.ts';
import { attach, loadTiny, scramble, syntheticBatch } from './tiny-model.ts';

const gpuOf = useGpu();
const SAMPLING: SamplingSettings = { temperature: 1.2, topK: 60, topP: 0.95, repetitionPenalty: 1.1, seed: 5, firstSequence: 40 };
const LENGTHS = [19, 7, 30];
const GENERATIONS = 3;
const NEW_TOKENS = 11;

async function open(): Promise<{ model: VisionLanguageModel; trainable: AdaptedModel; prompts: PackedBatch }> {
  const model = await loadTiny(gpuOf());
  const trainable = attach(model, ['q_proj', 'v_proj', 'down_proj']);
  await scramble(trainable);
  return { model, trainable, prompts: syntheticBatch(model, 31, LENGTHS, [[1, 4, 6], null, [1, 4, 4]]) };
}

const options = (changed: Partial<DecodingOptions> = {}): DecodingOptions => ({ maxNewTokens: NEW_TOKENS, stopIds: [], numGenerations: GENERATIONS, sampling: SAMPLING, ...changed });
const answer = ({ model, trainable, prompts }: Awaited<ReturnType<typeof open>>, changed: Partial<DecodingOptions> = {}) =>
  generate(model, passContext(model.gpu, trainable.adapter, null), prompts, LENGTHS.map(() => 0), options(changed));

describe('sampled answers', () => {
  it('are what the training pass over prompt and answer says, token by token', async () => {
    const opened = await open();
    const { model, trainable, prompts } = opened;
    const answers = await answer(opened);
    expect(answers.map(({ ids }) => ids.length)).toEqual(new Array(9).fill(NEW_TOKENS));
    expect(new Set(answers.map(({ ids }) => ids.join())).size).toBe(9);
    for (const sequence of [0, 1, 4, 8]) {
      const prompt = Math.floor(sequence / GENERATIONS);
      const { ids } = answers[sequence];
      const batch = withAnswer(model, prompts, prompt, ids);
      const logits = await targetLogits(model, trainable.adapter, batch);
      const seen = new Set(sliceBatch(prompts, prompt, 1, model.config.spatialMergeSize).inputIds.subarray(0, LENGTHS[prompt]));
      ids.forEach((id, step) => {
        expect(plainChoice(logits[step], SAMPLING, SAMPLING.firstSequence + sequence, step, seen), `sequence ${sequence}, step ${step}`).toBe(id);
        seen.add(id);
      });
      const { logProbs } = await trainable.scoreTokens(batch, { temperature: SAMPLING.temperature, model: 'policy' });
      ids.forEach((id, step) => expect(logProbs[step]).toBeCloseTo(Math.log(plainProbabilities(logits[step], { ...SAMPLING, topK: 0, topP: 1, repetitionPenalty: 1 })[id]), 4));
    }
    trainable.dispose();
    model.dispose();
  });

  it('do not depend on the split, and are the same again', async () => {
    const opened = await open();
    const { model, trainable, prompts } = opened;
    const whole = await answer(opened);
    expect(await answer(opened)).toEqual(whole);
    expect(await answer(opened, { cacheBytes: 1 }), 'one completion at a time').toEqual(whole);
    const second = await generate(model, passContext(model.gpu, trainable.adapter, null), sliceBatch(prompts, 1, 1, model.config.spatialMergeSize), [0], options({ sampling: { ...SAMPLING, firstSequence: SAMPLING.firstSequence + GENERATIONS } }));
    expect(second).toEqual(whole.slice(GENERATIONS, 2 * GENERATIONS));
    const other = await answer(opened, { sampling: { ...SAMPLING, seed: 6 } });
    expect(other.filter(({ ids }, i) => ids.join() === whole[i].ids.join()).length).toBe(0);
    trainable.dispose();
    model.dispose();
  });

  it('end at a stop token; the others go on as if alone', async () => {
    const opened = await open();
    const free = await answer(opened, { maxNewTokens: 20 });
    // Ends some sequences before the first look, some later, some never.
    const stopIds = [free[0].ids[2], free[4].ids[9]];
    const cut = (ids: number[]): GeneratedAnswer => {
      const at = ids.findIndex((id) => stopIds.includes(id));
      return at < 0 ? { ids, stopId: null } : { ids: ids.slice(0, at), stopId: ids[at] };
    };
    const stopped = await answer(opened, { maxNewTokens: 20, stopIds });
    expect(stopped).toEqual(free.map(({ ids }) => cut(ids)));
    expect(stopped.filter(({ stopId }) => stopId !== null).length).toBeGreaterThanOrEqual(2);
    expect(stopped.some(({ stopId }) => stopId === null)).toBe(true);
    opened.trainable.dispose();
    opened.model.dispose();
  });

  it('take the places of those that ended, and are what they would have been', async () => {
    const opened = await open();
    const free = await answer(opened, { maxNewTokens: 20 });
    // Ends answers of the first prompts at unequal lengths, and leaves others whole.
    const stopIds = [free[0].ids[2], free[1].ids[9], free[4].ids[13]];
    const whole = await answer(opened, { maxNewTokens: 20, stopIds });
    expect(new Set(whole.map(({ ids }) => ids.length)).size).toBeGreaterThan(2);
    const { bytesPerToken } = roomFor(opened.model.architecture, 20, 2 ** 30);
    // Room for the first two prompts, 26 tokens, and two of their six answers, 32 rows each; then for one answer at a time.
    for (const tokens of [110, 1]) {
      const seen: number[] = [];
      const onTokens = (_: unknown, done: number) => (seen.push(done), true);
      expect(await answer(opened, { maxNewTokens: 20, stopIds, cacheBytes: tokens * bytesPerToken, onTokens }), `${tokens} tokens of cache`).toEqual(whole);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.at(-1)).toBe(20);
    }
    opened.trainable.dispose();
    opened.model.dispose();
  });

  it('arrive a few tokens at a time, and stop when told to', async () => {
    const opened = await open();
    const streamed: number[][] = Array.from({ length: 9 }, () => []);
    const progress: number[][] = [];
    const answers = await answer(opened, {
      maxNewTokens: 18,
      onTokens: (fresh, done, total) => {
        fresh.forEach((ids, i) => streamed[i].push(...ids));
        progress.push([done, total]);
        return true;
      },
    });
    expect(streamed).toEqual(answers.map(({ ids }) => ids));
    expect(progress).toEqual([[8, 18], [16, 18], [18, 18]]);
    const early = await answer(opened, { maxNewTokens: 18, onTokens: () => false });
    expect(early).toEqual(answers.map(({ ids }) => ({ ids: ids.slice(0, 8), stopId: null })));
    opened.trainable.dispose();
    opened.model.dispose();
  });

  it('are refused for settings outside their range', async () => {
    const opened = await open();
    await expect(answer(opened, { sampling: { ...SAMPLING, temperature: 0 } })).rejects.toThrow('temperature must be above 0');
    await expect(answer(opened, { sampling: { ...SAMPLING, topP: 1.5 } })).rejects.toThrow('top_p');
    opened.trainable.dispose();
    opened.model.dispose();
  });
});

describe('greedy answers', () => {
  it.each([1, 1.3])('with penalty %f are the most likely tokens of the training pass', async (repetitionPenalty) => {
    const opened = await open();
    const { model, trainable, prompts } = opened;
    const answers = await answer(opened, { numGenerations: 1, sampling: null, repetitionPenalty });
    for (const [prompt, { ids }] of answers.entries()) {
      const logits = await targetLogits(model, trainable.adapter, withAnswer(model, prompts, prompt, ids));
      const seen = new Set(sliceBatch(prompts, prompt, 1, model.config.spatialMergeSize).inputIds.subarray(0, LENGTHS[prompt]));
      ids.forEach((id, step) => {
        expect(plainGreedy(logits[step], repetitionPenalty, seen), `prompt ${prompt}, step ${step}`).toBe(id);
        seen.add(id);
      });
    }
    expect(sampleLengths(prompts)).toEqual(LENGTHS);
    trainable.dispose();
    model.dispose();
  });

  it('come from the adapter or from the base, as asked', async () => {
    const opened = await open();
    const { model, trainable, prompts } = opened;
    const ask = (adapter: 'policy' | 'base') => trainable.generate(prompts, [0, 0, 0], { maxNewTokens: 6, stopIds: [], numGenerations: 1, sampling: null, adapter });
    const base = await generate(model, passContext(model.gpu, null, null), prompts, [0, 0, 0], options({ maxNewTokens: 6, numGenerations: 1, sampling: null }));
    expect(await ask('base')).toEqual(base);
    expect(await ask('policy')).not.toEqual(base);
    expect(await trainable.generateGreedy(prompts, [0, 0, 0], 6, [])).toEqual(await ask('policy'));
    trainable.dispose();
    model.dispose();
  });
});

describe('answers side by side', () => {
  it('are those of each alone, pictures being seen once for those that see alike', async () => {
    const opened = await open();
    const { model, trainable, prompts } = opened;
    const sighted = attach(model, ['visual.blocks.0.attn.qkv', 'o_proj'], { seed: 8 });
    await scramble(sighted, 23);
    const greedy = options({ numGenerations: 1, sampling: null, withProbabilities: true });
    const contexts = [null, trainable.adapter, sighted.adapter].map((adapter) => passContext(model.gpu, adapter, null));
    const alone = [];
    for (const context of contexts) alone.push(await generate(model, context, prompts, [0, 0, 0], greedy));
    expect(alone[1]).not.toEqual(alone[0]);
    let looks = 0;
    const see = model.parts.vision.forward.bind(model.parts.vision);
    model.parts.vision.forward = (...given) => (looks++, see(...given));
    const before = model.gpu.bytes();
    const together = await generateSideBySide(model, contexts.map((context, i) => ({ context, sees: i < 2 ? 'as base' : 'itself' })), prompts, [0, 0, 0], greedy);
    expect(together).toEqual(alone);
    expect(looks, 'once for base and the first adapter, once for the one on the tower').toBe(2);
    expect(model.gpu.bytes()).toBe(before);
    const told: number[] = [];
    await generateSideBySide(model, contexts.map((context) => ({ context, sees: 'itself' })), prompts, [0, 0, 0], { ...greedy, onTokens: (_fresh, _done, _total, which) => (told.push(which), which < 1) });
    expect([...new Set(told)], 'ended while the second answered').toEqual([0, 1]);
    for (const one of [trainable, sighted]) one.dispose();
    model.dispose();
  });

  it('tell how likely each chosen token was, whatever the split', async () => {
    const opened = await open();
    const { model, trainable, prompts } = opened;
    const free = await answer(opened, { numGenerations: 1, sampling: null });
    const greedy = { numGenerations: 1, sampling: null, withProbabilities: true, stopIds: [free[0].ids[3]] };
    const answers = await answer(opened, greedy);
    for (const [prompt, { ids, probabilities }] of answers.entries()) {
      expect(probabilities).toHaveLength(ids.length);
      const logits = await targetLogits(model, trainable.adapter, withAnswer(model, prompts, prompt, ids));
      const plain = { ...SAMPLING, temperature: 1, topK: 0, topP: 1, repetitionPenalty: 1 };
      ids.forEach((id, step) => expect(probabilities![step]).toBeCloseTo(plainProbabilities(logits[step], plain)[id], 4));
    }
    const { bytesPerToken } = roomFor(model.architecture, NEW_TOKENS, 2 ** 30);
    for (const tokens of [80, 1]) {
      const split = await answer(opened, { ...greedy, cacheBytes: tokens * bytesPerToken });
      expect(split.map(({ ids }) => ids)).toEqual(answers.map(({ ids }) => ids));
      split.forEach(({ probabilities }, i) => probabilities!.forEach((p, step) => expect(p).toBeCloseTo(answers[i].probabilities![step], 5)));
    }
    await expect(answer(opened, { ...greedy, repetitionPenalty: 1.2 })).rejects.toThrow('probabilities of tokens');
    trainable.dispose();
    model.dispose();
  });
});
