import { describe, expect, it } from 'vitest';
import { resizeBicubic, resizeLanczos } from '../../../src/processing/resample.ts';
import { shrinkToLongestEdge } from '../../../src/processing/smart-resize.ts';
import { type Json, readJson } from './fixtures.ts';

const pixels = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));

describe('resizeLanczos', () => {
  it.each(readJson('images/lanczos.json').cases as Json[])('$height × $width to $max_edge as Pillow does', (c) => {
    const size = shrinkToLongestEdge(c.height, c.width, c.max_edge);
    expect(size).toEqual({ height: c.resized_height, width: c.resized_width });
    const resized = resizeLanczos({ pixels: pixels(c.source), height: c.height, width: c.width }, size.height, size.width);
    expect(resized.pixels).toEqual(pixels(c.resized));
  });
});

describe.each([
  ['bicubic', resizeBicubic],
  ['Lanczos', resizeLanczos],
])('%s', (_name, resize) => {
  it('returns the image itself when the size stays', () => {
    const image = { pixels: Uint8Array.of(1, 2, 3), height: 1, width: 1 };
    expect(resize(image, 1, 1)).toBe(image);
  });

  it.each([
    [1, 1, 7, 5],
    [9, 4, 1, 1],
    [3, 200, 64, 2],
  ])('keeps a flat colour flat, %i × %i to %i × %i', (height, width, toHeight, toWidth) => {
    const flat = { pixels: new Uint8Array(height * width * 3).map((_, i) => [0, 128, 255][i % 3]), height, width };
    const resized = resize(flat, toHeight, toWidth);
    expect([resized.height, resized.width, resized.pixels.length]).toEqual([toHeight, toWidth, toHeight * toWidth * 3]);
    expect(resized.pixels.every((level, i) => level === [0, 128, 255][i % 3])).toBe(true);
  });

  it('clips overshoot instead of wrapping round', () => {
    const edge = { pixels: Uint8Array.from({ length: 4 * 3 }, (_, i) => (i < 6 ? 0 : 255)), height: 1, width: 4 };
    const { pixels: wide } = resize(edge, 1, 32);
    for (let x = 1; x < 32; x++) expect(Math.abs(wide[x * 3] - wide[x * 3 - 3])).toBeLessThan(80);
    expect([Math.min(...wide), Math.max(...wide)]).toEqual([0, 255]);
  });

  it('refuses pixels that do not fit the size', () => {
    expect(() => resize({ pixels: new Uint8Array(5), height: 1, width: 2 }, 1, 1)).toThrow(/Invariant violation/);
  });
});
