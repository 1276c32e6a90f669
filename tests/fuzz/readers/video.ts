/** Tables of video files; their frames are decoded by browsers alone. */
import { MAX_CLIP_FRAMES } from '../../../src/processing/clip.ts';
import { openVideo } from '../../../src/processing/video-file.ts';
import { blobOf, bytesOf } from '../examples.ts';
import { mutateBytes } from '../mutate/bytes.ts';
import type { FuzzReader } from '../reader.ts';

const EXAMPLES = ['vp8.webm', 'vp9.webm', 'vp9.mp4', 'av1.mp4', 'h264.mp4', 'h264.mov', 'hevc.mp4', 'sound.webm'];

export const videoReader: FuzzReader = {
  name: 'video',
  share: 3,
  prepare: async () => {
    const examples = EXAMPLES.map((name) => ({ name, content: bytesOf(`tests/fixtures/video/${name}`) }));
    return async (random) => {
      const { name, content } = random.pick(examples);
      const { length, size } = await openVideo(blobOf(mutateBytes(random, content, 0, random.chance(0.7) ? 1200 : undefined)), name);
      if (!(length.frames >= 1 && length.frames <= MAX_CLIP_FRAMES && Number.isFinite(length.fps) && length.fps > 0)) return `wrong: ${length.frames} frames at ${length.fps} per second`;
      if (!(size.width > 0 && size.height > 0)) return `wrong: ${size.width} × ${size.height} pixels`;
      return 'read';
    };
  },
};
