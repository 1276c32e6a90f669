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

/** Files whose pixels PIL has given, and those pixels. */
const CASES = new URL('../fixtures/cases/30-images', import.meta.url).href;
type Reference = Record<string, { size: [width: number, height: number]; px: number[][] }>;

/** Four by four, from near one corner to near the other, line by line; the drawing is of large even areas. */
function places([width, height]: readonly [number, number]): [number, number][] {
  const along = (length: number) => [0, 1, 2, 3].map((i) => Math.round((i * (length - 1)) / 3)).map((x) => Math.min(length - 6, Math.max(5, x)));
  return along(height).flatMap((y) => along(width).map((x): [number, number] => [x, y]));
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

  it.each(['exif3.jpg', 'exif6.jpg', 'exif6.png', 'exif6.webp', 'exif6.avif', 'gray16.png', 'palette.gif', 'palette_alpha.png'])('%s has the pixels that PIL gives after turning', async (name) => {
    const file = await (await fetch(`${CASES}/${name}`)).blob();
    const { size, px } = ((await (await fetch(`${CASES}/ref.json`)).json()) as Reference)[name];
    const { pixels, width, height } = await decodeImage(file, name);
    const orientation = Number(/exif(\d)/.exec(name)?.[1] ?? 1);
    expect([width, height]).toEqual(orientation > 4 ? [size[1], size[0]] : size);
    expect(await readImageSize(file, name)).toEqual({ width, height });
    // The reference was taken before turning, at places spread over the picture.
    places(size).forEach(([x, y], i) => {
      const [across, down] = orientation === 6 ? [size[1] - 1 - y, x] : orientation === 3 ? [size[0] - 1 - x, size[1] - 1 - y] : [x, y];
      const at = (down * width + across) * 3;
      px[i].forEach((level, c) => expect(Math.abs(level - pixels[at + c]), `${x},${y}`).toBeLessThanOrEqual(name.endsWith('.jpg') ? 8 : 3));
    });
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
