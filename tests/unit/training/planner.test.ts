import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { expectedTensors, parameterCount } from '../../../src/families/architecture.ts';
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import type { TrainingConfigInput } from '../../../src/protocol/config.ts';
import { planRun } from '../../../src/training/planner.ts';
import { largestBatch } from '../../../src/training/sample-size.ts';

const model = readArchitecture(readFileSync(new URL('../../../public/demo/model/config.json', import.meta.url), 'utf8'));
const sizes = [
  { tokens: 100, patches: 160, labelTokens: 30 },
  { tokens: 200, patches: 240, labelTokens: 90 },
  { tokens: 130, patches: 160, labelTokens: 40 },
];
const plan = (input: TrainingConfigInput = {}, speed: number | null = 1e9, validation = 5) =>
  planRun(model, parseTrainingConfig({ per_device_train_batch_size: 1, gradient_accumulation_steps: 2, num_train_epochs: 2, eval_steps: 2, save_steps: 2, ...input }), sizes, speed === null ? null : { passes: speed, decoding: speed }, Array.from({ length: validation }, (_, i) => sizes[i % sizes.length]));

describe('planRun', () => {
  it('counts steps as the loop does', () => {
    expect(plan()).toMatchObject({ stepsPerEpoch: 2, totalSteps: 4 });
    expect(plan({ max_steps: 7 })).toMatchObject({ stepsPerEpoch: 2, totalSteps: 7 });
    expect(plan({ num_train_epochs: 0.6 })).toMatchObject({ totalSteps: 2 });
  });

  it('knows how many bytes the weights take in each form', () => {
    const parameters = parameterCount(model);
    const none = plan({ load_in_4bit: false }).memory.weights;
    expect(none).toBe(2 * parameters);
    const tables = expectedTensors(model).filter(({ name }) => /embed_tokens|lm_head/.test(name)).reduce((sum, { shape }) => sum + shape[0] * shape[1], 0);
    const linear = parameters - tables;
    const nf4 = plan().memory.weights;
    // 4.127 bits a weight in large matrices; small ones carry a 1 KiB table each.
    expect(nf4).toBeGreaterThan(2 * tables + (4.127 / 8) * linear);
    expect(nf4).toBeLessThan(0.6 * none);
    const int8 = plan({ load_in_4bit: false, load_in_8bit: true }).memory.weights;
    expect(int8).toBeGreaterThan(nf4);
    expect(int8).toBeLessThan(none);
    expect(plan({ quantize_vision: false }).memory.weights).toBeGreaterThan(nf4);
  });

  it('gives five float32 numbers to every trainable parameter', () => {
    const small = plan({ r: 4 });
    const large = plan({ r: 16 });
    expect(large.trainableParameters).toBe(4 * small.trainableParameters);
    expect(large.memory.adapterAndOptimizer).toBe(20 * large.trainableParameters);
    expect(plan({ r: 4, target_modules: ['q_proj'] })).toMatchObject({ adaptedModules: 5, trainableParameters: 5 * 4 * (128 + 128) });
    expect(() => plan({ target_modules: ['nothing'] })).toThrow();
  });

  it('takes the longest samples for memory, and all for time', () => {
    const training = (input: TrainingConfigInput = {}) => plan({ eval_steps: 0, ...input });
    const base = training();
    expect(training({ per_device_train_batch_size: 2 }).memory.activations).toBeGreaterThan(1.4 * base.memory.activations);
    expect(training({ per_device_train_batch_size: 3 }).memory.activations).toBe(training({ per_device_train_batch_size: 9 }).memory.activations);
    // Inputs of 5 layers and the last output, 256 rows of 128 numbers, are kept whatever else.
    expect(base.memory.activations).toBeGreaterThan(4 * 256 * 128 * 6);
    expect(training({ gradient_checkpointing: false }).memory.activations).toBeGreaterThan(base.memory.activations);
    expect(plan({}, 2e9).stepSeconds).toBeCloseTo(base.stepSeconds! / 2, 12);
    expect(base.totalSeconds).toBeCloseTo(4 * base.stepSeconds!, 12);
    expect(plan({}, null)).toMatchObject({ stepSeconds: null, totalSeconds: null });
  });

  it('counts what answers hold where that is more than training takes', () => {
    const sampled = (max_completion_length: number) => plan({ method: 'grpo', loss_type: 'grpo', num_generations: 4, max_completion_length, per_device_train_batch_size: 1, gradient_accumulation_steps: 8 }).memory.activations;
    expect(sampled(64)).toBeGreaterThan(0);
    const validated = (input: TrainingConfigInput) => plan({ eval_batch_size: 3, ...input }, 1e9, 5).memory.activations;
    const none = plan({ eval_steps: 0 }).memory.activations;
    expect(validated({ eval_generate: true, max_new_tokens: 16 })).toBeGreaterThanOrEqual(none);
    // Three answers of 1,024 tokens: keys and values of five layers, 64 numbers each.
    expect(validated({ eval_generate: true, max_new_tokens: 1024 })).toBeGreaterThan(3 * 1024 * 5 * 2 * 64 * 4);
    expect(validated({ eval_generate: false, max_new_tokens: 1024 })).toBe(validated({ eval_generate: false, max_new_tokens: 16 }));
    expect(plan({ eval_batch_size: 3, max_new_tokens: 1024 }, 1e9, 0).memory.activations).toBe(none);
  });

  it('counts a shared prompt once, whatever part of its answers a micro-batch holds', () => {
    const answers = { tokens: 8 * 50, patches: 0, labelTokens: 8 * 50 };
    const shared = { ...answers, tokens: 100 + answers.tokens, patches: 64, shared: { tokens: 100, patches: 64 } };
    expect(largestBatch([shared], 1)).toEqual({ tokens: 500, patches: 64, labelTokens: 400 });
    expect(largestBatch([shared], 0.5)).toEqual({ tokens: 300, patches: 64, labelTokens: 200 });
    expect(largestBatch([{ ...answers, tokens: 8 * 150, patches: 8 * 64 }], 0.5)).toEqual({ tokens: 600, patches: 256, labelTokens: 200 });
    expect(largestBatch([shared, shared, answers], 2)).toEqual({ tokens: 1000, patches: 128, labelTokens: 800 });
  });

  it('warns of settings that will have no effect', () => {
    expect(plan().warnings).toEqual([]);
    expect(plan({ eval_steps: 50 }).warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/^eval_steps is 50, but the run has only 4 steps/) })]);
    expect(plan({ save_steps: 50 }).warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/^save_steps is 50/) })]);
    expect(plan({}, 1, 0).warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/no validation data/) })]);
    expect(plan({ r: 64 }).warnings).toEqual([expect.objectContaining({ message: expect.stringMatching(/--max-lora-rank 64/) })]);
  });
});
