import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readArchitecture } from '../../../src/checkpoint/model-config.ts';
import { parseTrainingConfig, type TrainingConfig, type TrainingConfigInput } from '../../../src/protocol/config.ts';
import { lighterSettings } from '../../../src/training/alternatives.ts';
import { planRun } from '../../../src/training/planner.ts';
import type { SampleSize } from '../../../src/training/sample-size.ts';

const model = readArchitecture(readFileSync(new URL('../../../public/demo/model/config.json', import.meta.url), 'utf8'));
const even: SampleSize[] = Array.from({ length: 8 }, (_, i) => ({ tokens: 400 + i, patches: 300, labelTokens: 200 }));
const SPEED = { passes: 1e9, decoding: null };
/** Pictures of half the edge have a quarter of the patches. */
const sizesOf = (sizes: readonly SampleSize[]) => ({ max_image_size, max_length }: TrainingConfig) =>
  sizes.map((size) => (max_image_size < 512 ? { ...size, patches: size.patches / 4, tokens: size.tokens - (size.patches * 3) / 16 } : size)).filter(({ tokens }) => tokens <= max_length);
const lighter = (input: TrainingConfigInput, sizes = even, longestEdge = 0) => lighterSettings(model, parseTrainingConfig(input), { longestEdge, sizesOf: sizesOf(sizes) }, SPEED);

describe('lighter settings', () => {
  it('are at most three, the lightest first, with bytes and time of their own plan', () => {
    const config = parseTrainingConfig({ per_device_train_batch_size: 8, gradient_accumulation_steps: 2, gradient_checkpointing: false, load_in_4bit: false, r: 64 });
    const needed = planRun(model, config, even, SPEED).memory.total;
    const found = lighterSettings(model, config, { longestEdge: 0, sizesOf: sizesOf(even) }, SPEED);
    expect(found).toHaveLength(3);
    const bytes = found.map((alternative) => alternative.bytes);
    expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
    for (const { settings, bytes: planned, stepSeconds, samplesLeftOut } of found) {
      const plan = planRun(model, { ...config, ...settings }, even, SPEED);
      expect(planned).toBe(plan.memory.total);
      expect(stepSeconds).toBe(plan.stepSeconds);
      expect(planned).toBeLessThan(needed);
      expect(samplesLeftOut).toBe(0);
    }
  });

  it('keep the samples of a step', () => {
    expect(lighter({ per_device_train_batch_size: 4, gradient_accumulation_steps: 3 }).map(({ settings }) => settings)).toContainEqual({ per_device_train_batch_size: 1, gradient_accumulation_steps: 12 });
  });

  it('make pictures smaller where there are large ones', () => {
    const settings = (edge: number) => lighter({ per_device_train_batch_size: 1, r: 4, max_image_size: 512 }, even, edge).map((alternative) => alternative.settings);
    expect(settings(512)).toEqual([{ max_image_size: 256 }]);
    expect(settings(200)).toEqual([]);
  });

  it('leave out the few samples that are much longer, and say how many', () => {
    const uneven = [...even, ...even, { tokens: 2000, patches: 300, labelTokens: 900 }];
    expect(lighter({ per_device_train_batch_size: 1, r: 4 }, uneven)).toEqual([expect.objectContaining({ settings: { max_length: 407 }, samplesLeftOut: 1 })]);
  });

  it('are none where nothing is left to save', () => {
    expect(lighter({ per_device_train_batch_size: 1, r: 4 })).toEqual([]);
  });
});
