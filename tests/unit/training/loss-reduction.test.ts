import 'fake-indexeddb/auto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IGNORE_INDEX } from '../../../src/processing/types.ts';
import type { EncodedSample } from '../../../src/processing/types.ts';
import { BatchPlan } from '../../../src/training/batches.ts';
import { buildToyRun, order, toyConfig } from './toy-run.ts';

interface Step { micro_losses: number[]; label_tokens: number[]; loss: number; grad_norm: number; lr: number }
type Reduction = 'mean_of_micro_batches' | 'token_weighted';
const fixture = JSON.parse(readFileSync(new URL('../../fixtures/qwen3_vl/lora/train.json', import.meta.url), 'utf8')) as Record<Reduction, { max_grad_norm: number; steps: Step[] }>;

/** A sample with a given number of label tokens, carrying its number as its first token. */
function sampleWith(labelTokens: number, number: number): EncodedSample {
  const length = labelTokens + 3;
  const inputIds = Int32Array.from({ length }, (_, t) => (t === 0 ? number : 1));
  const labels = Int32Array.from(inputIds, (id, t) => (t < 3 ? IGNORE_INDEX : id));
  return { id: String(number), inputIds, labels, positionIds: new Int32Array(3 * length), ropeDelta: 0, labelTokens, media: [], visionRows: new Int32Array(0), pixels: () => Promise.reject(new Error('none')) };
}

describe.each(['mean_of_micro_batches', 'token_weighted'] as const)('loss_reduction %s', (reduction) => {
  it('logs the loss, norm and rate that PyTorch logged for these micro-batches', async () => {
    const { steps } = fixture[reduction];
    const micro = steps.flatMap(({ micro_losses, label_tokens }) => micro_losses.map((loss, i) => ({ loss, tokens: label_tokens[i] })));
    const config = toyConfig({
      loss_reduction: reduction,
      per_device_train_batch_size: 1,
      gradient_accumulation_steps: 2,
      num_train_epochs: 1,
      learning_rate: 0.001,
      lr_scheduler_type: 'cosine',
      warmup_ratio: 0.4,
      logging_steps: 1,
    });
    // The run visits samples in its own order: put each of the fixture's micro-batches where its turn comes.
    const plan = new BatchPlan(config, micro.length, (epoch) => order(epoch, micro.length));
    const visited = [0, 1, 2, 3, 4].flatMap((step) => plan.microBatches(step).flat());
    const samples: EncodedSample[] = [];
    visited.forEach((index, turn) => (samples[index] = sampleWith(micro[turn].tokens, turn)));
    const { run, writer, model } = await buildToyRun({ id: `reduction-${reduction}`, config, samples });
    const turns: number[] = [];
    let step = 0;
    model.forwardBackward = async (batch, weights) => {
      const turn = batch.inputIds[0];
      turns.push(turn);
      const loss = weights.reduce((sum, weight) => sum + weight * micro[turn].loss, 0);
      return { read: () => Promise.resolve(loss) };
    };
    model.optimizerStep = async () => {
      const { grad_norm } = steps[step++];
      return { read: () => Promise.resolve(grad_norm) };
    };
    await run.run();
    expect(turns).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const { train_history } = writer.log();
    expect(train_history.length).toBe(5);
    train_history.forEach((row, i) => {
      expect(Math.abs(row.loss - steps[i].loss), `loss of step ${i}`).toBeLessThan(1e-5);
      expect(row.grad_norm).toBe(steps[i].grad_norm);
      expect(Math.abs(row.learning_rate - steps[i].lr)).toBeLessThan(1e-12);
    });
  });

  it('averages the log window by the same rule', async () => {
    const config = toyConfig({ loss_reduction: reduction, per_device_train_batch_size: 1, gradient_accumulation_steps: 1, num_train_epochs: 1, logging_steps: 10 });
    const tokens = [2, 9, 4, 7];
    const { run, method, writer, model } = await buildToyRun({ id: `window-${reduction}`, config, samples: tokens.map((count, i) => sampleWith(count, i)) });
    model.forwardBackward = async (batch) => ({ read: () => Promise.resolve(batch.inputIds[0] + 1) });
    await run.run();
    const visited = [0, 1, 2, 3].map((s) => method.plan.microBatches(s)[0][0]).slice(1);
    const weight = (i: number) => (reduction === 'token_weighted' ? tokens[i] : 1);
    const expected = visited.reduce((sum, i) => sum + (i + 1) * weight(i), 0) / visited.reduce((sum, i) => sum + weight(i), 0);
    expect(writer.log().train_history.map((row) => row.step)).toEqual([1, 4]);
    expect(writer.log().train_history[1].loss).toBeCloseTo(expected, 12);
  });
});
