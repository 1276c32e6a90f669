/** Losses over token log-probabilities, and the reference model, on the real engine. */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { Objective, TokenScores } from '../../src/objectives/token-scores.ts';
import type { AdaptedModel } from '../../src/training/adapted-model.ts';
import { relativeError, useGpu } from './open.ts';
import { ADAMW, attach, loadTiny, meanWeights, scramble, syntheticBatch } from './tiny-model.ts';

const gpuOf = useGpu();
const TARGETS = ['q_proj', 'v_proj', 'down_proj', 'attn.qkv'];

const flat = async (trainable: AdaptedModel) => (await trainable.adapter.read('gradients')).flatMap(({ data }) => [...data]);

describe('a loss over log-probabilities', () => {
  it('with slopes −w gives the gradient of weights w, recomputing and not', async () => {
    const model = await loadTiny(gpuOf());
    const batch = syntheticBatch(model, 7, [24, 9, 17], [[1, 4, 6], null]);
    const weights = meanWeights(batch).map((weight, i) => weight * (i % 3));
    const results: number[][] = [];
    for (const checkpointing of [true, false]) {
      const plain = attach(model, TARGETS, { checkpointing, dropout: 0.2 });
      await scramble(plain);
      const loss = await (await plain.forwardBackward(batch, weights, 5)).read();
      const expected = await flat(plain);
      plain.dispose();
      const trainable = attach(model, TARGETS, { checkpointing, dropout: 0.2 });
      await scramble(trainable);
      let seen: TokenScores | null = null;
      const objective: Objective = (scores) => {
        seen = scores;
        return weights.map((weight) => -weight);
      };
      await trainable.forwardBackwardOf(batch, objective, { temperature: 1, dropoutStep: 5 });
      const actual = await flat(trainable);
      trainable.dispose();
      expect(seen!.logProbs.reduce((sum, value, i) => sum - weights[i] * value, 0)).toBeCloseTo(loss, 5);
      expect(actual).toEqual(expected);
      results.push(actual);
    }
    expect(relativeError(results[1], results[0])).toBeLessThan(1e-5);
    model.dispose();
  });

  it('agrees with differences of the loss at a temperature', async () => {
    const model = await loadTiny(gpuOf(), 'f32');
    const batch = syntheticBatch(model, 9, [20, 13]);
    const trainable = attach(model, TARGETS);
    await scramble(trainable);
    const temperature = 1.7;
    // Σ logp² / 50
    await trainable.forwardBackwardOf(batch, ({ logProbs }) => logProbs.map((value) => value / 25), { temperature, dropoutStep: null });
    const values = (await trainable.adapter.read('gradients')).map(({ data }) => data);
    const start = await trainable.readAdapter();
    const lossAt = async (distance: number) => {
      await trainable.writeAdapter(start.map((tensor, i) => ({ ...tensor, data: tensor.data.map((value, j) => value + distance * values[i][j]) })));
      const { logProbs } = await trainable.scoreTokens(batch, { temperature, model: 'policy' });
      return logProbs.reduce((sum, value) => sum + value * value, 0) / 50;
    };
    const squares = values.reduce((sum, data) => data.reduce((inner, value) => inner + value * value, sum), 0);
    const distance = 2e-2 / squares;
    const slope = ((await lossAt(distance)) - (await lossAt(-distance))) / (2 * distance);
    expect(Math.abs(slope / squares - 1)).toBeLessThan(0.02);
    trainable.dispose();
    model.dispose();
  });

  it('that fails leaves gradients and memory as they were', async () => {
    const model = await loadTiny(gpuOf());
    for (const checkpointing of [true, false]) {
      const trainable = attach(model, TARGETS, { checkpointing });
      await scramble(trainable);
      const batch = syntheticBatch(model, 3, [18, 9], [[1, 4, 4]]);
      const tensors = tf.memory().numTensors;
      const broken = trainable.forwardBackwardOf(batch, () => { throw new Error('no reward'); }, { temperature: 1, dropoutStep: null });
      await expect(broken).rejects.toThrow('no reward');
      await expect(trainable.forwardBackwardOf(batch, () => new Float32Array(1), { temperature: 1, dropoutStep: null })).rejects.toThrow('one slope per target');
      expect(tf.memory().numTensors).toBe(tensors);
      expect((await flat(trainable)).every((value) => value === 0)).toBe(true);
      trainable.dispose();
    }
    model.dispose();
  });
});

describe('the reference model', () => {
  it('is the base when there is none, and stays what it was set to', async () => {
    const gpu = gpuOf();
    const model = await loadTiny(gpu);
    const trainable = attach(model, TARGETS);
    const batch = syntheticBatch(model, 4, [21, 12], [[1, 4, 4]]);
    const score = (which: 'policy' | 'reference') => trainable.scoreTokens(batch, { temperature: 0.8, model: which });
    // B is zero before the first step.
    const base = await score('policy');
    expect(await score('reference')).toEqual(base);
    await scramble(trainable);
    expect(await score('reference')).toEqual(base);
    const start = await score('policy');
    expect(relativeError(start.logProbs, base.logProbs)).toBeGreaterThan(1e-3);

    const before = gpu.bytes();
    await trainable.setReference(await trainable.readAdapter());
    expect(gpu.bytes() - before, 'the weights alone').toBe(trainable.adapter.weights.size);
    await trainable.forwardBackwardOf(batch, ({ logProbs }) => logProbs.map(() => -0.1), { temperature: 1, dropoutStep: null });
    await (await trainable.optimizerStep(ADAMW)).read();
    expect(await score('reference')).toEqual(start);
    expect((await score('policy')).logProbs).not.toEqual(start.logProbs);
    const nll = await trainable.tokenNll(batch);
    const atOne = await trainable.scoreTokens(batch, { temperature: 1, model: 'policy' });
    expect([...atOne.logProbs]).toEqual([...nll].map((value) => -value));

    await trainable.setReference(null);
    expect(await score('reference')).toEqual(base);
    trainable.dispose();
    model.dispose();
  });

  it('of another shape is refused and holds nothing', async () => {
    const gpu = gpuOf();
    const model = await loadTiny(gpu);
    const trainable = attach(model, TARGETS);
    const bytes = gpu.bytes();
    await expect(trainable.setReference((await trainable.readAdapter()).slice(1))).rejects.toThrow('has no tensor');
    expect(gpu.bytes()).toBe(bytes);
    trainable.dispose();
    model.dispose();
  });
});
