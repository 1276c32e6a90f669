/** Answers that follow one copy of their prompt train as they do with a copy each. */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { dpoLoss, type DpoResult } from '../../src/objectives/dpo.ts';
import { grpoLoss, type GrpoResult } from '../../src/objectives/grpo.ts';
import type { VisionLanguageModel } from '../../src/model/vision-language-model.ts';
import type { EncodedSample, PackedBatch } from '../../src/processing/types.ts';
import type { AdaptedModel } from '../../src/training/adapted-model.ts';
import { lossInputs, packPairs, sumByPair, totalsOf, type EncodedPair } from '../../src/training/methods/pairs.ts';
import { byRow } from '../../src/training/methods/targets.ts';
import { relativeError, useGpu } from './open.ts';
import { answered, packFor, syntheticPrompt } from './prompt-samples.ts';
import { attach, loadTiny, scramble } from './tiny-model.ts';

const gpuOf = useGpu();
const TEXT = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
const EVERYTHING = [...TEXT, 'attn.qkv', 'linear_fc1', 'linear_fc2'];
/** Sums of float32 in another order; the largest value counts as 1. */
const TOLERANCE = 1e-5;

/** Several pictures, none, one; a prompt with a single answer; answers of one token and longer than their prompt. */
const promptsOf = (model: VisionLanguageModel): EncodedSample[] => [
  syntheticPrompt(model, 1, [3, [1, 4, 6], 5, [1, 4, 4], 2]),
  syntheticPrompt(model, 2, [9]),
  syntheticPrompt(model, 3, [[1, 4, 4], 4]),
  syntheticPrompt(model, 4, [1]),
];
const LENGTHS = [[7, 1, 19], [4, 11], [6], [5, 3, 8, 2]];

interface Passed {
  logProbs: Float32Array;
  entropy: Float32Array;
  gradients: number[];
}

/** Slopes that differ from token to token and change sign. */
const slopesOf = (count: number, first = 0) => Float32Array.from({ length: count }, (_, i) => Math.sin(first + i) / 10);

async function passOver(trainable: AdaptedModel, batch: PackedBatch, slopes: (logProbs: Float32Array) => Float32Array): Promise<Passed> {
  const seen: Omit<Passed, 'gradients'>[] = [];
  await trainable.forwardBackwardOf(
    batch,
    ({ logProbs, entropy }) => {
      seen.push({ logProbs, entropy });
      return slopes(logProbs);
    },
    { temperature: 0.9, dropoutStep: null },
  );
  return { ...seen[0], gradients: await gradientsOf(trainable) };
}

/** The gradients so far; then there are none. */
async function gradientsOf(trainable: AdaptedModel): Promise<number[]> {
  const tensors = await trainable.adapter.read('gradients');
  trainable.adapter.write('gradients', tensors.map((tensor) => ({ ...tensor, data: new Float32Array(tensor.data.length) })));
  return tensors.flatMap(({ data }) => [...data]);
}

async function open(targets = TEXT, checkpointing = true): Promise<{ model: VisionLanguageModel; trainable: AdaptedModel; close: () => void }> {
  const model = await loadTiny(gpuOf());
  const trainable = attach(model, targets, { checkpointing });
  await scramble(trainable);
  return { model, trainable, close: () => (trainable.dispose(), model.dispose()) };
}

describe('answers that share their prompt', () => {
  it.each([
    ['recomputing', TEXT, true],
    ['keeping activations', TEXT, false],
    ['vision adapted, recomputing', EVERYTHING, true],
    ['vision adapted, keeping activations', EVERYTHING, false],
  ])('have the log-probabilities and gradients of copies: %s', async (_, targets, checkpointing) => {
    const { model, trainable, close } = await open(targets, checkpointing);
    const { samples, prompts } = answered(model, promptsOf(model), LENGTHS);
    const copies = await packFor(model, samples);
    const shared = await packFor(model, samples, prompts);
    const [long, short, , one] = promptsOf(model).map(({ inputIds }) => inputIds.length);
    expect(copies.tokenCount - shared.tokenCount).toBe(2 * long + short + 3 * one);
    expect(shared.grids).toEqual([[1, 4, 6], [1, 4, 4], [1, 4, 4]]);

    const slopes = ({ length }: Float32Array) => slopesOf(length);
    const expected = await passOver(trainable, copies, slopes);
    const tensors = tf.memory().numTensors;
    const actual = await passOver(trainable, shared, slopes);
    expect(tf.memory().numTensors, 'nothing is left behind').toBe(tensors);
    for (const name of ['logProbs', 'entropy', 'gradients'] as const) expect(relativeError(actual[name], expected[name]), name).toBeLessThan(TOLERANCE);
    expect(await passOver(trainable, shared, slopes), 'the same bits again').toEqual(actual);
    for (const of of ['policy', 'reference'] as const) {
      const [a, b] = [await trainable.scoreTokens(shared, { temperature: 1, model: of }), await trainable.scoreTokens(copies, { temperature: 1, model: of })];
      expect(relativeError(a.logProbs, b.logProbs), of).toBeLessThan(TOLERANCE);
    }
    close();
  });

  it('add up over micro-batches that split a group', async () => {
    const { model, trainable, close } = await open();
    const { samples, prompts } = answered(model, promptsOf(model), LENGTHS);
    const { gradients: whole } = await passOver(trainable, await packFor(model, samples, prompts), ({ length }) => slopesOf(length));
    let done = 0;
    for (const [from, to] of [[0, 2], [2, 7], [7, 10]]) {
      const batch = await packFor(model, samples.slice(from, to), prompts.slice(from, to));
      const first = done;
      await trainable.forwardBackwardOf(batch, ({ logProbs }) => slopesOf(logProbs.length, first), { temperature: 0.9, dropoutStep: null });
      done += batch.targetRows.length;
    }
    expect(relativeError(await gradientsOf(trainable), whole)).toBeLessThan(TOLERANCE);
    close();
  });

  it('have the losses of copies: GRPO with a reference', async () => {
    const { model, trainable, close } = await open();
    const { samples, prompts } = answered(model, promptsOf(model), LENGTHS);
    const run = async (batch: PackedBatch): Promise<Omit<GrpoResult, 'gradients'> & Passed> => {
      const reference = byRow(batch, (await trainable.scoreTokens(batch, { temperature: 0.9, model: 'reference' })).logProbs);
      let result: GrpoResult | null = null;
      const passed = await passOver(trainable, batch, (logProbs) => {
        const rows = byRow(batch, logProbs).map((own, i) => ({ logProbs: own, oldLogProbs: null, refLogProbs: reference[i], advantage: Math.cos(3 * i), masked: false }));
        result = grpoLoss(
          rows,
          { lossType: 'dapo', beta: 0.04, epsilon: 0.2, epsilonHigh: 0.2, delta: null, importanceSamplingLevel: 'token', maxCompletionLength: 32 },
          { rows: rows.length, completionTokens: logProbs.length, microBatches: 1 },
        );
        return Float32Array.from(result.gradients.flatMap((row) => [...row]));
      });
      return { ...result!, ...passed };
    };
    const expected = await run(await packFor(model, samples));
    const actual = await run(await packFor(model, samples, prompts));
    expect(actual.loss / expected.loss).toBeCloseTo(1, 5);
    expect(actual.stats.kl! / expected.stats.kl!).toBeCloseTo(1, 4);
    expect(relativeError(actual.gradients, expected.gradients)).toBeLessThan(TOLERANCE);
    close();
  });

  it('have the losses of copies: DPO pairs', async () => {
    const { model, trainable, close } = await open();
    const { samples } = answered(model, promptsOf(model).slice(0, 3), [[7, 12], [4, 11], [1, 6]]);
    const pairs = [0, 1, 2].map((p): EncodedPair => ({ id: `${p}`, chosen: samples[2 * p], rejected: samples[2 * p + 1] }));
    const run = async (batch: PackedBatch): Promise<DpoResult & Passed> => {
      const reference = sumByPair(batch, (await trainable.scoreTokens(batch, { temperature: 1, model: 'reference' })).logProbs);
      let result: DpoResult | null = null;
      const passed = await passOver(trainable, batch, (logProbs) => {
        result = dpoLoss(lossInputs(pairs, sumByPair(batch, logProbs), reference), { beta: 0.1, lossTypes: ['sigmoid', 'sft'], lossWeights: [1, 0.3], labelSmoothing: 0 }, totalsOf(pairs));
        const slope = [...result.dChosen, ...result.dRejected];
        return Float32Array.from(batch.targetSample, (sample) => slope[sample]);
      });
      return { ...result!, ...passed };
    };
    const expected = await run(await packPairs((list) => packFor(model, list), pairs));
    const shared = await packPairs((list, prompts) => packFor(model, list, prompts), pairs);
    expect(shared.grids).toEqual(pairs.flatMap(({ chosen }) => chosen.media.map(({ grid }) => grid)));
    const actual = await run(shared);
    expect(actual.loss / expected.loss).toBeCloseTo(1, 5);
    actual.perPair.forEach(({ margin }, i) => expect(margin).toBeCloseTo(expected.perPair[i].margin, 5));
    expect(relativeError(actual.gradients, expected.gradients)).toBeLessThan(TOLERANCE);
    close();
  });

  it('are refused with dropout, whose masks copies would not share', async () => {
    const model = await loadTiny(gpuOf());
    const trainable = attach(model, TEXT, { dropout: 0.1 });
    const { samples, prompts } = answered(model, promptsOf(model), LENGTHS);
    await expect(trainable.forwardBackwardOf(await packFor(model, samples, prompts), ({ logProbs }) => logProbs, { temperature: 1, dropoutStep: 3 })).rejects.toThrow(/dropout/);
    trainable.dispose();
    model.dispose();
  });
});
