import { describe, expect, it } from 'vitest';
import { decodeImage, readPictureFacts } from '../../../src/processing/decode-image.ts';
import { type Orientation, readOrientation, uprightImage } from '../../../src/processing/orientation.ts';
import { chunk, png } from './png.ts';

/** 1 2 3 over 4 5 6. */
const image = { width: 3, height: 2, pixels: Uint8Array.from([1, 2, 3, 4, 5, 6].flatMap((x) => [x, x, x])) };
/** EXIF's own drawing: where the first row and the first column of the stored picture belong. */
const UPRIGHT: Record<Orientation, number[][]> = {
  1: [[1, 2, 3], [4, 5, 6]],
  2: [[3, 2, 1], [6, 5, 4]],
  3: [[6, 5, 4], [3, 2, 1]],
  4: [[4, 5, 6], [1, 2, 3]],
  5: [[1, 4], [2, 5], [3, 6]],
  6: [[4, 1], [5, 2], [6, 3]],
  7: [[6, 3], [5, 2], [4, 1]],
  8: [[3, 6], [2, 5], [1, 4]],
};

const tiff = (orientation: number, little: boolean) => (little ? [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0] : [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
const noted = (orientation: number, little = false) => png({ width: 3, height: 2, colorType: 0, lines: [0, 1, 2, 3, 0, 4, 5, 6], extra: [chunk('eXIf', tiff(orientation, little))] });

describe('orientation', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8] as const)('%i', async (orientation) => {
    const { width, height, pixels } = uprightImage(image, orientation);
    const rows = Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => pixels[(y * width + x) * 3]));
    expect(rows).toEqual(UPRIGHT[orientation]);
    for (const little of [false, true]) {
      const file = new Blob([noted(orientation, little)]);
      expect(await readPictureFacts(file, 'x.png')).toEqual({ width, height, orientation });
      expect((await decodeImage(file, 'x.png')).pixels).toEqual(pixels);
    }
  });

  it('that is none is upright', () => {
    for (const value of [0, 9, 200]) expect(readOrientation(noted(value), 'png')).toBe(1);
    expect(readOrientation(noted(6).slice(0, 50), 'png')).toBe(1);
  });
});
