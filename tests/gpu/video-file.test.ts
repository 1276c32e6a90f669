/** Video files through the browser's own decoders; here because this project runs in a real browser. */
import { describe, expect, it } from 'vitest';
import type { RgbImage } from '../../src/processing/resample.ts';
import { openVideo } from '../../src/processing/video-file.ts';

/** Ten frames of 64 × 48 at 5 per second, each of one colour that tells its number. */
const FRAMES = 10;
const ALL = Array.from({ length: FRAMES }, (_, i) => i);
const colourOf = (frame: number) => [20 + frame * 22, 230 - frame * 20, (frame * 70) % 256];

const fixture = async (name: string) => (await fetch(new URL(`../fixtures/video/${name}`, import.meta.url).href)).blob();

async function framesOf(name: string, indices: readonly number[]): Promise<RgbImage[]> {
  const clip = await openVideo(await fixture(name), name);
  const frames: RgbImage[] = [];
  for await (const frame of clip.frames(indices)) frames.push(frame);
  return frames;
}

function expectFrames(frames: readonly RgbImage[], indices: readonly number[]): void {
  expect(frames).toHaveLength(indices.length);
  frames.forEach(({ pixels, height, width }, i) => {
    expect([height, width, pixels.length]).toEqual([48, 64, 64 * 48 * 3]);
    const middle = (24 * 64 + 32) * 3;
    // Files without colour tags leave the matrix to the browser: saturated colours move by up to 33 levels, but no frame comes near another's.
    const distance = (frame: number) => Math.max(...colourOf(frame).map((level, c) => Math.abs(pixels[middle + c] - level)));
    const nearest = [...ALL].sort((a, b) => distance(a) - distance(b))[0];
    expect(nearest).toBe(indices[i]);
    expect(distance(nearest)).toBeLessThan(40);
  });
}

describe.each(['vp8.webm', 'vp9.webm', 'vp9.mp4', 'av1.mp4'])('%s', (name) => {
  it('says its length and size without being decoded', async () => {
    const { length, size } = await openVideo(await fixture(name), name);
    expect(length.frames).toBe(FRAMES);
    expect(length.fps).toBeCloseTo(5, 3);
    expect(size).toEqual({ height: 48, width: 64 });
  });

  it('gives exactly the frames asked for', async () => {
    for (const indices of [ALL, [9], [0, 3, 4, 8]]) expectFrames(await framesOf(name, indices), indices);
  });
});

// Browsers are built with or without these; one that has them must give the right frames, B-frames included.
describe.each([['h264.mp4', 'MP4, avc1.'], ['h264.mov', 'QuickTime File Format, avc1.'], ['hevc.mp4', 'MP4, hev1.']])('%s', (name, codec) => {
  it('is decoded to the right frames, or refused with its container and codec', async () => {
    const clip = await openVideo(await fixture(name), name);
    expect([clip.length.frames, clip.size]).toEqual([FRAMES, { height: 48, width: 64 }]);
    const outcome = await framesOf(name, ALL).catch((error: unknown) => error);
    console.info(`${name}: ${Array.isArray(outcome) ? 'decoded' : String(outcome)}`);
    if (Array.isArray(outcome)) expectFrames(outcome as RgbImage[], ALL);
    else expect(outcome).toMatchObject({ code: 'video', message: expect.stringContaining(codec), place: { file: name } });
  });
});

describe('files that cannot be used', () => {
  it('sound without pictures', async () => {
    await expect(openVideo(await fixture('sound.webm'), 'sound.webm')).rejects.toMatchObject({ code: 'video', message: expect.stringContaining('only sound') });
  });

  it('a video cut off in the middle', async () => {
    const whole = await fixture('vp9.mp4');
    const cut = whole.slice(0, whole.size / 4);
    await expect(openVideo(cut, 'cut.mp4')).rejects.toMatchObject({ code: 'video', place: { file: 'cut.mp4' } });
  });

  it('damaged pictures', async () => {
    const bytes = new Uint8Array(await (await fixture('vp8.webm')).arrayBuffer());
    bytes.fill(0xff, bytes.length - 500, bytes.length - 20);
    const read = async () => {
      const clip = await openVideo(new Blob([bytes]), 'damaged.webm');
      if (clip.length.frames !== FRAMES) throw Object.assign(new Error('fewer frames'), { code: 'video' });
      for await (const frame of clip.frames(ALL)) void frame;
    };
    await expect(read()).rejects.toMatchObject({ code: 'video' });
  });
});
