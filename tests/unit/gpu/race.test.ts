import { describe, expect, it } from 'vitest';
import { difference, race, type Contestant, type Verdict } from '../../../src/gpu/race.ts';

interface Form {
  ms: number;
  /** What it computes where 1 is right; null: the device refuses it. */
  result?: number | null;
  /** Its first run at full size takes so much longer. */
  compiling?: number;
}

/** A race on a clock that runs only while a form does. */
async function raceOf(forms: Record<string, Form>, byDefault: string, endAfter = Infinity): Promise<{ verdict: Verdict | null; runs: string[] }> {
  const runs: string[] = [];
  let clock = 0;
  let last = '';
  const contestants = Object.entries(forms).map(([name, { ms, result = 1, compiling = 0 }]): Contestant => ({
    name,
    run: () => {
      clock += ms + (runs.includes(name) ? 0 : compiling);
      runs.push(name);
      last = name;
    },
    results: async () => (result === null ? null : [Float32Array.of(result, 2)]),
  }));
  const verdict = await race(
    { contestants, byDefault, tolerance: 1e-5 },
    {
      stopwatch: {
        async time(work) {
          const start = clock;
          work();
          return clock - start;
        },
      },
      now: () => clock,
      ended: () => runs.length >= endAfter,
    },
  );
  expect(last === '' || last in forms).toBe(true);
  return { verdict, runs };
}

describe('a race', () => {
  it('is won by the fastest, whose compilation does not count', async () => {
    const { verdict } = await raceOf({ slow: { ms: 9 }, fast: { ms: 6, compiling: 500 }, plain: { ms: 12 } }, 'slow');
    expect(verdict).toEqual({ winner: 'fast', milliseconds: 6 });
  });

  it('is won by the default unless another is faster by more than 3 %', async () => {
    expect((await raceOf({ usual: { ms: 100 }, other: { ms: 98 }, plain: { ms: 150 } }, 'usual')).verdict?.winner).toBe('usual');
    expect((await raceOf({ usual: { ms: 100 }, other: { ms: 96 }, plain: { ms: 150 } }, 'usual')).verdict?.winner).toBe('other');
    // Among equals that are not the default, the table's order decides.
    expect((await raceOf({ first: { ms: 50 }, second: { ms: 50 }, plain: { ms: 100 } }, 'plain')).verdict?.winner).toBe('first');
  });

  it('is never won by a wrong or a refused form, the default included', async () => {
    const { verdict, runs } = await raceOf({ wrong: { ms: 1, result: 1.0001 }, refused: { ms: 1, result: null }, nan: { ms: 1, result: NaN }, right: { ms: 8, result: 1.000001 }, plain: { ms: 12 } }, 'wrong');
    expect(verdict?.winner).toBe('right');
    expect(new Set(runs)).toEqual(new Set(['right', 'plain']));
  });

  it('keeps the GPU busy before the first reading, takes turns, and spares what is hopeless', async () => {
    const { runs } = await raceOf({ usual: { ms: 10 }, hopeless: { ms: 100 }, plain: { ms: 12 } }, 'usual');
    expect(runs.slice(0, 5)).toEqual(['usual', 'usual', 'usual', 'usual', 'usual']);
    expect(runs.slice(5, 11)).toEqual(['usual', 'usual', 'hopeless', 'hopeless', 'plain', 'plain']);
    expect(runs.slice(11)).toEqual(Array.from({ length: 5 }, () => ['usual', 'plain']).flat());
  });

  it('has no verdict when it is ended, and none where there is no choice', async () => {
    const { verdict, runs } = await raceOf({ usual: { ms: 30 }, plain: { ms: 12 } }, 'usual', 7);
    expect(verdict).toBeNull();
    expect(runs).toHaveLength(7);
    expect((await raceOf({ plain: { ms: 1 } }, 'plain')).verdict).toBeNull();
  });
});

describe('the difference of results', () => {
  it('is relative to the largest of each array, and infinite where there is no number', () => {
    expect(difference([Float32Array.of(1, 4), Float32Array.of(0.5)], [Float32Array.of(1.5, 4), Float32Array.of(0.75)])).toBeCloseTo(1 / 3);
    expect(difference([Float32Array.of(NaN)], [Float32Array.of(1)])).toBe(Infinity);
    expect(difference([Float32Array.of(0)], [Float32Array.of(0)])).toBe(0);
  });
});
