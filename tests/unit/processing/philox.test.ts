import { describe, expect, it } from 'vitest';
import { philox4x32, PhiloxSequence } from '../../../src/processing/philox.ts';

describe('philox4x32', () => {
  // The known-answer vectors published with the Random123 library.
  it.each([
    [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]],
  ] as const)('%j', (counter, key, words) => {
    expect(philox4x32(counter, key)).toEqual(words);
  });
});

describe('PhiloxSequence', () => {
  it('repeats itself and differs by seed, stream and purpose', () => {
    const first = (...args: [number, number, number]) => Array.from({ length: 9 }, ((s) => () => s.next())(new PhiloxSequence(...args)));
    expect(first(1, 2, 3)).toEqual(first(1, 2, 3));
    const variants = [first(1, 2, 3), first(2, 2, 3), first(1, 3, 3), first(1, 2, 4)].map(String);
    expect(new Set(variants).size).toBe(4);
  });

  it('draws below a bound evenly', () => {
    const sequence = new PhiloxSequence(7, 0, 0);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60_000; i++) counts[sequence.below(6)]++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  });

  it('permutes: every index once, every place reached', () => {
    for (const count of [0, 1, 2, 5, 1000]) {
      expect([...new PhiloxSequence(3, count, 0).permutation(count)].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    }
    const firstOfThree = new Array<number>(3).fill(0);
    for (let stream = 0; stream < 3000; stream++) firstOfThree[new PhiloxSequence(3, stream, 0).permutation(3)[0]]++;
    for (const count of firstOfThree) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});
