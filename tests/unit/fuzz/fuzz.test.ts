import { describe, expect, it } from 'vitest';
import { Random } from '../../../tools/random.ts';
import type { FuzzReader } from '../../fuzz/reader.ts';
import { READERS } from '../../fuzz/readers/index.ts';
import { watch } from '../../fuzz/watch.ts';
import { FAULTS, judge, portionsOf, type Verdict } from '../../fuzz/work.ts';

const INPUTS = 2000;
const SEED = 20_261_127;

describe('spoilt files', () => {
  it(`${INPUTS} of them for all readers: none crashes, hangs, fills the memory or is taken for what it is not`, async () => {
    const verdicts: Verdict[] = [];
    await watch(SEED, portionsOf(READERS, INPUTS), (verdict) => verdicts.push(verdict));
    expect(verdicts.filter(({ kind }) => FAULTS.includes(kind))).toEqual([]);
    for (const { name } of READERS) expect(verdicts.some(({ reader }) => reader === name), name).toBe(true);
    expect(new Set(verdicts.map(({ kind }) => kind))).toEqual(new Set(['read', 'told', 'refused']));
  }, 120_000);
});

describe('the fuzz itself', () => {
  it('gives the same input for the same seed, reader and case, and others for others', () => {
    const draws = (...words: (string | number)[]) => Array.from({ length: 4 }, ((random) => () => random.below(1e9))(new Random(...words)));
    expect(draws(1, 'cvat', 2)).toEqual(draws(1, 'cvat', 2));
    const others = [draws(1, 'cvat', 2), draws(2, 'cvat', 2), draws(1, 'logs', 2), draws(1, 'cvat', 3)].map(String);
    expect(new Set(others).size).toBe(4);
  });

  it.each([
    ['an error without a type', () => Promise.reject(new TypeError('x')), 'crash'],
    ['what cannot be', () => Promise.resolve('wrong: step -1' as const), 'wrong'],
    ['a property of every object', async () => (Object.assign(Object.prototype, { polluted: 1 }), 'read' as const), 'wrong'],
    ['two seconds of work', async () => {
      const { user } = process.cpuUsage();
      while (process.cpuUsage().user - user < 2_100_000);
      return 'read' as const;
    }, 'hang'],
    ['600 MB', async () => (new Uint8Array(600 * 2 ** 20).fill(1).length > 0 ? ('read' as const) : ('told' as const)), 'memory'],
  ])('notices %s', async (_what, run, kind) => {
    expect((await judge('x', run, 1, 1)).kind).toBe(kind);
  });

  it('shares inputs out by weight, at least one each', () => {
    const reader = (name: string, share: number) => ({ name, share }) as FuzzReader;
    expect(portionsOf([reader('a', 9), reader('b', 1)], 100)).toEqual([{ reader: 'a', first: 0, end: 90 }, { reader: 'b', first: 0, end: 10 }]);
    expect(portionsOf([reader('a', 999), reader('b', 1)], 10)[1].end).toBe(1);
  });
});
