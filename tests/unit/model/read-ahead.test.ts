import { describe, expect, it } from 'vitest';
import { ReadAhead, type Readable } from '../../../src/model/read-ahead.ts';

const MIB = 2 ** 20;

/** Items that are read when `finish` says so, and a list of those whose reading began. */
function items(sizes: readonly number[]) {
  const begun: number[] = [];
  const finish: (() => void)[] = [];
  const list = sizes.map((bytes, i): Readable<number> => ({
    bytes,
    read: () => {
      begun.push(i);
      return new Promise((resolve) => (finish[i] = () => resolve(i)));
    },
  }));
  return { list, begun, finish };
}

describe('reading ahead', () => {
  it('begins with as many as memory and the disk take, and goes on when one is taken', async () => {
    const { list, begun, finish } = items([20, 10, 10, 10, 10].map((mib) => mib * MIB));
    const ahead = new ReadAhead(list);
    expect(begun).toEqual([0, 1]);
    finish[0]();
    expect(await ahead.take(list[0])).toBe(0);
    expect(begun).toEqual([0, 1, 2, 3]);
    finish[1]();
    expect(await ahead.take(list[1])).toBe(1);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    for (const end of finish.slice(2)) end();
    expect([await ahead.take(list[2]), await ahead.take(list[3]), await ahead.take(list[4])]).toEqual([2, 3, 4]);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
  });

  it('reads one that is larger than all memory there is for it, and no more than eight at once', async () => {
    const large = items([100 * MIB, 100 * MIB]);
    const first = new ReadAhead(large.list);
    expect(large.begun).toEqual([0]);
    large.finish[0]();
    await first.take(large.list[0]);
    expect(large.begun).toEqual([0, 1]);
    const small = items(Array.from({ length: 20 }, () => 1));
    new ReadAhead(small.list);
    expect(small.begun).toHaveLength(8);
  });

  it('tells whoever takes an item what went wrong with it, and nobody else', async () => {
    const failing: Readable<number>[] = [
      { bytes: 1, read: async () => 0 },
      { bytes: 1, read: () => Promise.reject(new Error('gone')) },
      { bytes: 1, read: async () => 2 },
    ];
    const ahead = new ReadAhead(failing);
    expect(await ahead.take(failing[0])).toBe(0);
    await expect(ahead.take(failing[1])).rejects.toThrow('gone');
    expect(await ahead.take(failing[2])).toBe(2);
  });

  it('reads at once what nobody foresaw', async () => {
    const { list } = items([1]);
    const ahead = new ReadAhead(list);
    expect(await ahead.take({ bytes: 1, read: async () => 7 })).toBe(7);
  });
});
