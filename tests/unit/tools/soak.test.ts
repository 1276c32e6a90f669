import { describe, expect, it } from 'vitest';
import { differences } from '../../../tools/soak/compare.ts';
import { drawStrikes, HARD, OPERATIONS, SOFT, type Counts } from '../../../tools/soak/faults.ts';
import { Hearing } from '../../../tools/soak/hearing.ts';
import { processesOf } from '../../../tools/soak/processes.ts';
import type { Heard } from '../../../tools/demo/tap.ts';
import { Random } from '../../../tools/random.ts';

const counts = Object.fromEntries(OPERATIONS.map((name, i) => [name, 10 * (i + 1)])) as Counts;
const hardOne = (of: Counts, seed: number, left = 1) => drawStrikes({ counts: of, left, soft: 0, hard: true }, new Random('hard', seed));
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

describe('the faults of a soak', () => {
  it('are drawn from the seed: all of them in time, each where it can strike', () => {
    const draw = (seed: number) => drawStrikes({ counts, left: 1, soft: 500, hard: true }, new Random('soak', seed));
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    const strikes = [...draw(1), ...Array.from({ length: 200 }, (_, seed) => hardOne(counts, seed)).flat()];
    expect(new Set(strikes.map(({ fault }) => fault))).toEqual(new Set([...Object.keys(SOFT), ...Object.keys(HARD)]));
    for (const { fault, operation, at } of strikes) {
      expect({ ...SOFT, ...HARD }[fault], fault).toContain(operation);
      expect(at).toBeLessThan(counts[operation]);
    }
  });

  it('strike only at what a run does', () => {
    const none = { ...counts, read: 0, map: 0 };
    const strikes = Array.from({ length: 200 }, (_, seed) => hardOne(none, seed)).flat();
    expect(strikes.filter(({ operation }) => none[operation] === 0)).toEqual([]);
  });
});

it('aims at what is left of a run', () => {
  const latest = (left: number) => Math.max(...Array.from({ length: 300 }, (_, seed) => hardOne(counts, seed, left)).flat().map(({ operation, at }) => at / counts[operation]));
  expect(latest(1)).toBeGreaterThan(0.9);
  expect(latest(0)).toBeLessThan(0.3);
});

describe('what is heard at the page', () => {
  const resumed = (step: number): Heard => ({ kind: 'done', request: 'resumeRun', value: { runId: 'r', step } });
  const saved = (step: number): Heard => ({ kind: 'event', event: { type: 'saved', runId: 'r', step, at: '' } });
  const heard = (...all: Heard[]) => {
    const hearing = new Hearing(() => undefined);
    for (const one of all) hearing.hear(one);
    return hearing;
  };

  it('is a fall when a run goes on from before what was said to be stored', () => {
    expect(heard(saved(2), saved(4), resumed(4)).fall).toBeNull();
    expect(heard(saved(4), resumed(2)).fall?.message).toMatch(/after step 2, though step 4/);
  });

  it('is none where a stored state was made unreadable', () => {
    const hearing = heard(saved(4));
    hearing.unreadable = true;
    hearing.hear(resumed(2));
    expect(hearing.fall).toBeNull();
  });
});

describe('a disturbed run and one that was not', () => {
  const run = (rows: object[], adapter = 1, validation: object[] = [{ step: 2, eval_loss: 1, eval_runtime: Math.random() }]) => ({
    'training_log.json': text({ train_history: rows, val_history: validation, best_checkpoint: null }),
    'final/adapter_model.safetensors': new Uint8Array([adapter]),
  });
  const rows = [{ step: 1, loss: 0.1 + 0.2, grad_norm: 1, step_time_ms: 3 }, { step: 2, loss: 1, grad_norm: 1, step_time_ms: 3 }];
  const whole = run(rows);

  it('are the same, whatever the clock said', () => {
    expect(differences(run(rows.map((row) => ({ ...row, step_time_ms: 9 }))), whole)).toEqual([]);
  });

  it.each<[string, Record<string, Uint8Array>, RegExp]>([
    ['a lost row', run(rows.slice(1)), /training rows are of the steps 2, not 1 2/],
    ['a row twice', run([rows[0], rows[0], rows[1]]), /steps 1 1 2/],
    ['the last bit of a loss', run([{ ...rows[0], loss: 0.3 }, rows[1]]), /row of step 1 differs/],
    ['a validation', run(rows, 1, []), /validation rows/],
    ['an adapter', run(rows, 2), /final\/adapter_model.safetensors differs/],
    ['a missing adapter', { 'training_log.json': whole['training_log.json'] }, /is missing/],
  ])('differ by %s', (_what, found, message) => {
    expect(differences(found, whole).join('\n')).toMatch(message);
  });
});

it('finds the processes of a profile, and none of others', () => {
  expect(processesOf('/nowhere/at/all')).toEqual([]);
});
