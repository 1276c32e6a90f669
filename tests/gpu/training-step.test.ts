/** What must hold of whole training steps on the real engine: same bits, same gradients, flat memory. */
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { GridTHW } from '../../src/processing/types.ts';
import type { AdaptedModel } from '../../src/training/adapted-model.ts';
import { relativeError, useGpu } from './open.ts';
import { ADAMW, attach, loadTiny, meanWeights, scramble, syntheticBatch } from './tiny-model.ts';

const gpuOf = useGpu();
const TEXT = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
const EVERYTHING = [...TEXT, 'attn.qkv', 'attn.proj', 'linear_fc1', 'linear_fc2'];
const IMAGES: (GridTHW | null)[] = [[1, 4, 6], null, [1, 4, 4]];
const LENGTHS = [24, 9, 31];

async function gradients(trainable: AdaptedModel, batch: Parameters<AdaptedModel['forwardBackward']>[0], weights = meanWeights(batch)): Promise<{ loss: number; values: Float32Array[] }> {
  const loss = await (await trainable.forwardBackward(batch, weights, 5)).read();
  const values = (await trainable.adapter.read('gradients')).map(({ data }) => data);
  return { loss, values };
}

const flat = (values: Float32Array[]) => values.flatMap((value) => [...value]);

describe('gradients of a whole step', () => {
  it.each([
    ['language model', TEXT, 0],
    ['everything, vision included', EVERYTHING, 0],
    ['language model with dropout', TEXT, 0.3],
  ])('%s: recomputed and kept activations agree', async (_, targets, dropout) => {
    const model = await loadTiny(gpuOf());
    const batch = syntheticBatch(model, 7, LENGTHS, IMAGES);
    const results = [];
    for (const checkpointing of [true, false]) {
      const trainable = attach(model, targets, { checkpointing, dropout });
      await scramble(trainable);
      results.push(await gradients(trainable, batch));
      trainable.dispose();
    }
    expect(results[1].loss).toBe(results[0].loss);
    expect(relativeError(flat(results[1].values), flat(results[0].values))).toBeLessThan(1e-5);
    model.dispose();
  });

  it('agree with differences of the loss, through vision, deepstack, dropout and attention', async () => {
    const model = await loadTiny(gpuOf(), 'f32');
    const batch = syntheticBatch(model, 9, LENGTHS, IMAGES);
    const trainable = attach(model, EVERYTHING, { dropout: 0.2 });
    await scramble(trainable);
    const { values } = await gradients(trainable, batch);
    const start = await trainable.readAdapter();
    const lossAt = async (distance: number) => {
      await trainable.writeAdapter(start.map((tensor, i) => ({ ...tensor, data: tensor.data.map((value, j) => value + distance * values[i][j]) })));
      return (await trainable.forwardBackward(batch, meanWeights(batch), 5).then((loss) => loss.read()));
    };
    const squares = flat(values).reduce((sum, value) => sum + value * value, 0);
    // Along the gradient the loss changes by its squared norm; a step of this size keeps float32 noise and curvature below 1 %.
    const distance = 2e-2 / squares;
    const slope = ((await lossAt(distance)) - (await lossAt(-distance))) / (2 * distance);
    expect(Math.abs(slope / squares - 1)).toBeLessThan(0.02);
    trainable.dispose();
    model.dispose();
  });

  it('of two batches add up to those of both together', async () => {
    const model = await loadTiny(gpuOf());
    const together = syntheticBatch(model, 21, [20, 33]);
    const trainable = attach(model, TEXT);
    await scramble(trainable);
    const whole = await gradients(trainable, together);
    const again = attach(model, TEXT);
    await scramble(again);
    const weights = meanWeights(together);
    const first = weights.map((weight, i) => (together.targetRows[i] < 20 ? weight : 0));
    await again.forwardBackward(together, first, 0);
    const summed = await gradients(again, together, weights.map((weight, i) => weight - first[i]));
    expect(relativeError(flat(summed.values), flat(whole.values))).toBeLessThan(1e-5);
    trainable.dispose();
    again.dispose();
    model.dispose();
  });
});

describe('runs on one device', () => {
  const batchAt = (model: Awaited<ReturnType<typeof loadTiny>>, step: number) => syntheticBatch(model, 100 + step, [10 + ((step * 7) % 40), 30 - ((step * 5) % 20)], [step % 2 ? [1, 4, 4] : null]);
  const train = async (trainable: AdaptedModel, from: number, to: number, between?: (step: number) => Promise<void>) => {
    for (let step = from; step < to; step++) {
      const batch = batchAt(trainable.model, step);
      await trainable.forwardBackward(batch, meanWeights(batch), step);
      await trainable.optimizerStep(ADAMW);
      await between?.(step);
    }
    return trainable.readAdapter();
  };

  it('give the same bits with and without validation, and when resumed from saved state', async () => {
    const model = await loadTiny(gpuOf());
    const plain = attach(model, TEXT, { dropout: 0.1 });
    const expected = await train(plain, 0, 6);
    plain.dispose();

    const validated = attach(model, TEXT, { dropout: 0.1 });
    const prompts = syntheticBatch(model, 55, [12, 17], [[1, 4, 4], null]);
    const withValidation = await train(validated, 0, 6, async () => {
      await validated.tokenNll(batchAt(model, 40));
      await validated.generateGreedy(prompts, [0, 0], 5, []);
    });
    validated.dispose();
    expect(withValidation).toEqual(expected);

    const before = attach(model, TEXT, { dropout: 0.1 });
    const adapter = await train(before, 0, 2);
    const optimizer = await before.readOptimizer();
    before.dispose();
    const after = attach(model, TEXT, { dropout: 0.1, seed: 3 });
    await after.writeAdapter(adapter);
    await after.writeOptimizer(optimizer);
    expect(await train(after, 2, 6)).toEqual(expected);
    after.dispose();
    model.dispose();
  });

  it.each([[false], [true]])('give the same bits after a rehearsal, with scores between forward and backward: %s', async (scored) => {
    const model = await loadTiny(gpuOf());
    const plain = attach(model, TEXT, { dropout: 0.1 });
    await scramble(plain);
    const expected = await train(plain, 0, 3);
    const moments = await plain.readOptimizer();
    plain.dispose();
    const rehearsed = attach(model, TEXT, { dropout: 0.1 });
    await scramble(rehearsed);
    await rehearsed.trim();
    const held = rehearsed.peakBytes();
    expect(await rehearsed.rehearse(syntheticBatch(model, 77, [62, 30], [[1, 4, 6]]), scored)).toBeGreaterThan(0);
    expect(rehearsed.peakBytes()).toBeGreaterThan(held);
    expect(await train(rehearsed, 0, 3)).toEqual(expected);
    expect(await rehearsed.readOptimizer()).toEqual(moments);
    rehearsed.dispose();
    model.dispose();
  });

  it('hold the same memory and tensors at step 300 as at step 20', { timeout: 400_000 }, async () => {
    const gpu = gpuOf();
    const model = await loadTiny(gpu);
    const trainable = attach(model, TEXT);
    const longest = syntheticBatch(model, 1, [62, 30], [[1, 4, 6]]);
    await (await trainable.forwardBackward(longest, new Float32Array(longest.targetRows.length), 0)).read();
    const marks: { bytes: number; tensors: number; ms: number }[] = [];
    let started = performance.now();
    for (let step = 1; step <= 300; step++) {
      const batch = batchAt(model, step);
      const loss = await trainable.forwardBackward(batch, meanWeights(batch), step);
      await (await trainable.optimizerStep(ADAMW)).read();
      expect(Number.isFinite(await loss.read())).toBe(true);
      if (step === 20 || step === 300) marks.push({ bytes: gpu.bytes(), tensors: tf.memory().numTensors, ms: (performance.now() - started) / (step === 20 ? 20 : 280) });
      if (step === 20) started = performance.now();
    }
    console.info('step 20 and step 300:', JSON.stringify(marks));
    expect(Math.abs(marks[1].bytes / marks[0].bytes - 1)).toBeLessThan(0.01);
    expect(marks[1].tensors).toBe(marks[0].tensors);
    trainable.dispose();
    model.dispose();
  });

  it('give everything back on dispose', async () => {
    const gpu = gpuOf();
    gpu.backend.pool.trim();
    const bytes = gpu.bytes();
    const model = await loadTiny(gpu);
    const trainable = attach(model, EVERYTHING);
    const batch = syntheticBatch(model, 3, LENGTHS, IMAGES);
    await (await trainable.forwardBackward(batch, meanWeights(batch), 0)).read();
    trainable.dispose();
    model.dispose();
    await gpu.finish();
    gpu.backend.pool.trim();
    expect(gpu.bytes()).toBe(bytes);
  });
});
