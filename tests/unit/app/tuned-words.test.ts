import { describe, expect, it } from 'vitest';
import { classOf, familyLines } from '../../../src/app/models/tuned-words.ts';
import type { TunedClass } from '../../../src/protocol/tuning.ts';

const tuned = (key: string, variant: string, share: number | null = null, usual = true): TunedClass => ({ key, variant, share, usual, milliseconds: 1 });

describe('the card of a tuned device', () => {
  it('has a line for each family, told by its weightiest class', () => {
    const classes = [
      tuned('product: nt nf4, rows > 128', 'tile 128 × 64', 0.61), tuned('attention: heads of 128', 'tiled', 0.4), tuned('attention of one token: heads of 128', 'spread'),
      tuned('product: nt nf4, rows ≤ 1', 'vector 4', null, false),
    ];
    expect(familyLines(classes)).toEqual([
      { family: 'product', variant: 'tile 128 × 64', share: 0.61, classes: 2, changed: 1 },
      { family: 'attention', variant: 'tiled', share: 0.4, classes: 1, changed: 0 },
      { family: 'attention of one token', variant: 'spread', share: null, classes: 1, changed: 0 },
    ]);
    expect(classOf(classes[3])).toBe('nt nf4, rows ≤ 1');
    expect(familyLines([])).toEqual([]);
  });
});
