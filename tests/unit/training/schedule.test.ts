import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { learningRateAt, warmupSteps } from '../../../src/training/schedule.ts';
import type { SchedulerType } from '../../../src/training/schedule.ts';

interface Schedule { name: SchedulerType; base_lr: number; num_warmup_steps: number; num_training_steps: number; lr: number[] }
const { schedules } = JSON.parse(readFileSync(new URL('../../fixtures/schedules/schedules.json', import.meta.url), 'utf8')) as { schedules: Schedule[] };

describe('learningRateAt', () => {
  it('covers every schedule a run can choose', () => {
    expect(new Set(schedules.map((s) => s.name))).toEqual(new Set(['linear', 'cosine', 'constant', 'constant_with_warmup', 'polynomial']));
  });

  it.each(schedules.map((s) => [`${s.name}, base ${s.base_lr}, warm-up ${s.num_warmup_steps} of ${s.num_training_steps}`, s] as const))('%s', (_name, s) => {
    const ours = s.lr.map((_, step) => learningRateAt(s.name, step, s.base_lr, s.num_warmup_steps, s.num_training_steps));
    ours.forEach((value, step) => expect(Math.abs(value - s.lr[step]), `step ${step}`).toBeLessThan(1e-9));
  });

  it('refuses a polynomial schedule that starts below its end', () => {
    expect(() => learningRateAt('polynomial', 0, 1e-8, 0, 10)).toThrow(/learning_rate must be larger/);
  });
});

describe('warmupSteps', () => {
  it('rounds up', () => {
    expect(warmupSteps(60, 0.05)).toBe(3);
    expect(warmupSteps(61, 0.05)).toBe(4);
    expect(warmupSteps(10, 0)).toBe(0);
  });
});
