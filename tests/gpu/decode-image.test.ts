/** Decoding of the formats that only a browser reads; here because this project runs in a real one. */
import { describe, expect, it } from 'vitest';
import { decodeImage, readImageSize } from '../../src/processing/decode-image.ts';

const WIDTH = 40;
const HEIGHT = 24;

/** Left half red, right half blue, a green bar along the top. */
function drawing(): OffscreenCanvas {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext('2d', { alpha: false })!;
  context.fillStyle = 'rgb(200, 20, 20)';
  context.fillRect(0, 0, 20, HEIGHT);
  context.fillStyle = 'rgb(20, 20, 200)';
  context.fillRect(20, 0, 20, HEIGHT);
  context.fillStyle = 'rgb(20, 200, 20)';
  context.fillRect(0, 0, WIDTH, 8);
  return canvas;
}

/** The JPEG with an EXIF block behind its start marker that asks for a quarter turn. */
function turned(jpeg: Blob): Blob {
  const exif = [0x45, 0x78, 0x69, 0x66, 0, 0, 0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
  return new Blob([jpeg.slice(0, 2), Uint8Array.of(0xff, 0xe1, 0, exif.length + 2, ...exif), jpeg.slice(2)]);
}

async function expectDrawing(image: Blob): Promise<void> {
  expect(await readImageSize(image, 'x')).toEqual({ width: WIDTH, height: HEIGHT });
  const { pixels, width, height } = await decodeImage(image, 'x');
  expect([width, height, pixels.length]).toEqual([WIDTH, HEIGHT, WIDTH * HEIGHT * 3]);
  const at = (x: number, y: number) => [...pixels.subarray((y * WIDTH + x) * 3, (y * WIDTH + x) * 3 + 3)];
  for (const [x, y, color] of [
    [4, 3, [20, 200, 20]],
    [4, 20, [200, 20, 20]],
    [35, 20, [20, 20, 200]],
  ] as const) {
    at(x, y).forEach((level, c) => expect(Math.abs(level - color[c]), `${x},${y}`).toBeLessThan(12));
  }
}

describe('decodeImage in a browser', () => {
  it.each(['image/jpeg', 'image/webp', 'image/png'])('%s', async (type) => {
    await expectDrawing(await drawing().convertToBlob({ type, quality: 0.95 }));
  });

  it('keeps the stored orientation, as PIL does', async () => {
    const jpeg = turned(await drawing().convertToBlob({ type: 'image/jpeg', quality: 0.95 }));
    // The browser itself turns it: proof that the EXIF block is sound.
    const bitmap = await createImageBitmap(jpeg);
    expect([bitmap.width, bitmap.height]).toEqual([HEIGHT, WIDTH]);
    await expectDrawing(jpeg);
  });

  it('gives the same PNG pixels as the browser', async () => {
    const canvas = drawing();
    const { pixels } = await decodeImage(await canvas.convertToBlob({ type: 'image/png' }), 'x');
    const rgba = canvas.getContext('2d')!.getImageData(0, 0, WIDTH, HEIGHT).data;
    expect(pixels.every((level, i) => level === rgba[Math.floor(i / 3) * 4 + (i % 3)])).toBe(true);
  });

  it('reports damaged files', async () => {
    const jpeg = await drawing().convertToBlob({ type: 'image/jpeg' });
    await expect(decodeImage(jpeg.slice(0, 10), 'x.jpg')).rejects.toMatchObject({ code: 'image' });
    const garbage = new Blob([Uint8Array.of(0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 5, 0, 5, 3), new Uint8Array(50)]);
    await expect(decodeImage(garbage, 'x.jpg')).rejects.toMatchObject({ code: 'image', message: expect.stringContaining('x.jpg') });
  });
});
