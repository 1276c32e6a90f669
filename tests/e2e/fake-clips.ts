/** Clips of the fake trainer: frames that were given one by one are shown at a small size, two to a token row. */
import { invariant } from '../../src/protocol/errors.ts';
import { filesOf, type Media } from '../../src/protocol/media.ts';
import type { ClipView } from '../../src/protocol/messages.ts';

const SIDE = 64;

export async function fakeClipView(clip: Media<Blob>): Promise<ClipView> {
  invariant(clip.kind === 'frames', 'the fake trainer decodes no video files');
  const fps = clip.fps ?? 2;
  const frames = await Promise.all(
    filesOf(clip).map(async (file) => {
      const canvas = new OffscreenCanvas(SIDE, SIDE);
      const context = canvas.getContext('2d')!;
      context.drawImage(await createImageBitmap(file), 0, 0, SIDE, SIDE);
      const { data } = context.getImageData(0, 0, SIDE, SIDE);
      return { pixels: data.filter((_, i) => i % 4 < 3) as unknown as Uint8Array, width: SIDE, height: SIDE };
    }),
  );
  return { frames, times: frames.map((_, i) => i / fps), tokens: frames.length * 2 };
}
