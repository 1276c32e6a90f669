/** Boxes that seem to count pixels although thousandths are expected. */
import { describe, expect, it } from 'vitest';
import { PixelBoxes } from '../../../src/data/pixel-boxes.ts';

const suspicionOf = (size: [number, number], ...boxes: [number, number, number, number][]) => {
  const looked = new PixelBoxes();
  for (const box of boxes) looked.add([box], { width: size[0], height: size[1] });
  return looked.suspicion;
};

describe('boxes seem to count pixels', () => {
  it('where all of them lie inside small images', () => {
    expect(suspicionOf([640, 480], [64, 48, 192, 192], [384, 240, 576, 432])).toEqual({ boxes: 2, above: 0, largest: { width: 640, height: 480 } });
  });

  it('where some are above 1000 and inside a large image', () => {
    expect(suspicionOf([4000, 3000], [64, 48, 1920, 1920])).toEqual({ boxes: 1, above: 1, largest: { width: 4000, height: 3000 } });
    expect(suspicionOf([4000, 3000], [64, 48, 1920, 3001])).toBeNull();
  });

  it.each<[string, [number, number], [number, number, number, number][]]>([
    ['one reaches beyond', [640, 480], [[64, 48, 192, 192], [384, 240, 900, 432], [0, 0, 10, 10]]],
    ['a corner is given the other way round', [640, 480], [[900, 432, 384, 240], [0, 0, 10, 10], [0, 0, 10, 10]]],
    ['the image is as large as thousandths go', [2000, 1500], Array.from({ length: 50 }, () => [10, 10, 400, 400])],
    ['one box says too little', [64, 48], [[6, 4, 19, 19]]],
    ['there are none', [640, 480], []],
  ])('but not where %s', (_, size, boxes) => {
    expect(suspicionOf(size, ...boxes)).toBeNull();
  });

  it('and no more samples are looked at than needed', () => {
    const looked = new PixelBoxes();
    looked.add([[0, 0, 999, 999]], { width: 640, height: 480 });
    expect(looked.wanted).toBe(false);
  });
});
