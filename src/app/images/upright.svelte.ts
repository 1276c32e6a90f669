/** Pictures as the model sees them: upright, also where an <img> would show them as they are stored. */
import { decodeImage, readPictureFacts } from '../../processing/decode-image.ts';
import { sniffImageType } from '../../processing/image-header.ts';

/** Formats whose orientation every browser heeds by itself. */
const TURNED_BY_BROWSERS = ['jpeg', 'avif'];
const SIGNATURE_BYTES = 16;

/** The picture with its orientation applied; null until it is known whether it notes one. */
export function uprightPicture(blob: () => Blob | null | undefined): { readonly blob: Blob | null } {
  let shown = $state.raw<Blob | null>(null);
  $effect(() => {
    const source = blob() ?? null;
    let current = true;
    if (!source) shown = null;
    // What cannot be read is shown as a broken picture, and named elsewhere.
    else void upright(source).catch(() => source).then((picture) => {
      if (current) shown = picture;
    });
    return () => {
      current = false;
    };
  });
  return {
    get blob() {
      return shown;
    },
  };
}

async function upright(blob: Blob): Promise<Blob> {
  const type = sniffImageType(new Uint8Array(await blob.slice(0, SIGNATURE_BYTES).arrayBuffer()));
  if (type === null || TURNED_BY_BROWSERS.includes(type) || (await readPictureFacts(blob, '')).orientation === 1) return blob;
  const { pixels, width, height } = await decodeImage(blob, '');
  const canvas = new OffscreenCanvas(width, height);
  const data = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) data.data.set([pixels[i * 3], pixels[i * 3 + 1], pixels[i * 3 + 2], 255], i * 4);
  canvas.getContext('2d')!.putImageData(data, 0, 0);
  return canvas.convertToBlob({ type: 'image/png' });
}
