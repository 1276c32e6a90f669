import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { parseTrainingConfig, type TrainingConfigInput } from '../../../src/protocol/config.ts';
import { samplingWork, secondsFor, stepWork } from '../../../src/training/work.ts';

const model = readArchitecture(readFileSync(new URL('../../../public/demo/model/config.json', import.meta.url), 'utf8'));
/** 4 answers of 50 tokens to a prompt of 100. */
const group = { tokens: 300, patches: 64, labelTokens: 200, shared: { tokens: 100, patches: 64 } };
const work = (input: TrainingConfigInput) => stepWork(model, parseTrainingConfig({ num_generations: 4, ...input }), [group], false, 2);
const grpo = { method: 'grpo', loss_type: 'grpo', beta: 0 } as const;

describe('the work of a step', () => {
  it('counts sampled tokens apart, and once for all the steps that learn from them', () => {
    expect(work({}).decoding).toBe(0);
    const once = work(grpo);
    const twice = work({ ...grpo, num_iterations: 2 });
    expect(twice.decoding).toBe(once.decoding / 2);
    // Decoder and head, 2 operations a weight, of each of 200 tokens of 2 groups; attention comes on top.
    const weights = model.linearModules.filter(({ part }) => part === 'language_model').reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0);
    const products = 2 * 200 * 2 * (weights + 128 * 1024);
    expect(once.decoding).toBeGreaterThan(products);
    expect(once.decoding).toBeLessThan(1.3 * products);
    expect(samplingWork(model, { num_generations: 4 }, [group]).decoding * 2).toBe(once.decoding);
  });

  it('grows by a pass where a reference is scored, and by one where layers are recomputed', () => {
    expect(work({ ...grpo, beta: 0.1 }).passes).toBeGreaterThan(work(grpo).passes);
    expect(work({ method: 'dpo', precompute_ref_log_probs: false }).passes).toBeGreaterThan(work({ method: 'dpo' }).passes);
    expect(work({ gradient_checkpointing: true }).passes).toBeGreaterThan(1.2 * work({ gradient_checkpointing: false }).passes);
  });

  it('takes a time that is known where each of its kinds was measured', () => {
    expect(secondsFor({ passes: 6, decoding: 0 }, { passes: 2, decoding: null })).toBe(3);
    expect(secondsFor({ passes: 6, decoding: 4 }, { passes: 2, decoding: 8 })).toBe(3.5);
    expect(secondsFor({ passes: 6, decoding: 4 }, { passes: 2, decoding: null })).toBeNull();
    expect(secondsFor({ passes: 6, decoding: 0 }, null)).toBeNull();
  });
});
