import { describe, expect, it } from 'vitest';
import { openVideo } from '../../../src/processing/video-file.ts';
import { readBlob } from './fixtures.ts';

const open = (name: string) => openVideo(readBlob(`video/${name}`), name);

describe('headers are read without decoding', () => {
  // H.264 with B-frames: packets come in another order than frames are shown.
  it.each(['vp8.webm', 'vp9.webm', 'vp9.mp4', 'av1.mp4', 'h264.mp4', 'h264.mov', 'hevc.mp4'])('%s', async (name) => {
    const { length, size } = await open(name);
    expect(length.frames).toBe(10);
    expect(length.fps).toBeCloseTo(5, 6);
    expect(size).toEqual({ height: 48, width: 64 });
  });

  it('pictures need a browser, and the error says so', async () => {
    const clip = await open('vp9.mp4');
    await expect(clip.frames([0]).next()).rejects.toMatchObject({ code: 'video', message: expect.stringContaining('MP4'), place: { file: 'vp9.mp4' } });
  });
});

describe('files that cannot be used', () => {
  it('sound without pictures', async () => {
    await expect(open('sound.webm')).rejects.toMatchObject({ code: 'video', message: 'sound.webm (WebM) has no video track, only sound.' });
  });

  it('whose next element is never found, instead of looking for it for ever', async () => {
    const webm = new Uint8Array(await readBlob('video/vp8.webm').arrayBuffer());
    await expect(openVideo(new Blob([webm.fill(0, 300)]), 'holed.webm')).rejects.toMatchObject({ code: 'video', place: { file: 'holed.webm' } });
  });

  it.each(['stts', 'stsc', 'ctts'])('whose table %s counts thousands of millions of frames', async (table) => {
    const mp4 = new Uint8Array(await readBlob('video/h264.mp4').arrayBuffer());
    const at = mp4.findIndex((_, i) => [...table].every((letter, k) => mp4[i + k] === letter.charCodeAt(0)));
    // Version, flags and the number of rows, then the count; of stsc the second number of a row.
    mp4.set([0x7f, 0xff, 0xff, 0xf0], at + 12 + (table === 'stsc' ? 4 : 0));
    await expect(openVideo(new Blob([mp4]), 'many.mp4')).rejects.toMatchObject({ code: 'video', message: 'many.mp4 is damaged: its tables speak of 2147483632 frames in one place.' });
  });

  it('cut off, damaged, or something else', async () => {
    const [mp4, webm] = [readBlob('video/vp9.mp4'), new Uint8Array(await readBlob('video/vp8.webm').arrayBuffer())];
    webm.fill(0xff, webm.length - 500, webm.length - 20);
    for (const [file, name] of [[mp4.slice(0, 300), 'cut.mp4'], [new Blob([webm]), 'damaged.webm'], [new Blob(['RIFF____AVI LIST']), 'old.avi']] as const) {
      await expect(openVideo(file, name)).rejects.toMatchObject({ code: 'video', place: { file: name } });
    }
  });
});
