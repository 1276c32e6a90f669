/** Frames as the trainer hands them over -> pictures that the browser shows. */
import type { ClipView } from '../../protocol/messages.ts';

/** One PNG a frame. @throws Error when the browser gives no canvas */
export function framePictures({ frames }: ClipView): Promise<Blob[]> {
  return Promise.all(
    frames.map(({ pixels, width, height }) => {
      const image = new ImageData(width, height);
      for (let from = 0, to = 0; from < pixels.length; from += 3, to += 4) {
        image.data[to] = pixels[from];
        image.data[to + 1] = pixels[from + 1];
        image.data[to + 2] = pixels[from + 2];
        image.data[to + 3] = 255;
      }
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext('2d');
      if (!context) throw new Error('This browser gives no canvas to draw on.');
      context.putImageData(image, 0, 0);
      return canvas.convertToBlob({ type: 'image/png' });
    }),
  );
}
