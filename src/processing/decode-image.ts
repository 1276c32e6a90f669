/** Encoded image files -> 8-bit RGB, within limits that are checked before anything is decoded. */
import { LorikeetError } from '../protocol/errors.ts';
import { decodePng } from './decode-png.ts';
import { bytesOf, sizeOf, startOf } from './archived-file.ts';
import { type ImageHeader, MAX_IMAGE_PIXELS, MIME_TYPES, readImageHeader } from './image-header.ts';
import { withoutTransparency } from './opaque-gif.ts';
import { endsWithOrientation, liesOnItsSide, type Orientation, readOrientation, uprightImage, withoutOrientation } from './orientation.ts';
import type { RgbImage } from './resample.ts';
import type { ImageSize } from './smart-resize.ts';

/** Larger files are refused. */
export const MAX_IMAGE_BYTES = 256 * 2 ** 20;
const MAX_EDGE = 65535;
/** Enough for every format's header but JPEGs with very long metadata. */
const HEADER_BYTES = 65536;

function checkFileSize(image: Blob, file: string): void {
  const size = sizeOf(image);
  if (size === 0) throw new LorikeetError('image', `${file} is empty (0 bytes).`, 'Replace the image file.', { file });
  if (size > MAX_IMAGE_BYTES) {
    const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
    throw new LorikeetError(
      'image',
      `${file} has ${megabytes(size)} MiB; at most ${megabytes(MAX_IMAGE_BYTES)} MiB are read.`,
      'Save the image smaller.',
      { file },
    );
  }
}

function checkHeader(header: ImageHeader | null, file: string): ImageHeader {
  if (!header) {
    throw new LorikeetError('image', `${file} is not an image that can be read (PNG, JPEG, WebP, GIF, BMP, AVIF).`, 'Convert it to PNG or JPEG.', { file });
  }
  if (header.size) checkDimensions(header.size, file);
  return header;
}

function checkDimensions({ width, height }: ImageSize, file: string): void {
  if (width < 1 || height < 1 || width > MAX_EDGE || height > MAX_EDGE || width * height > MAX_IMAGE_PIXELS) {
    throw new LorikeetError(
      'image',
      `${file} says it has ${width} × ${height} pixels; 1 to ${MAX_EDGE} per side and ${MAX_IMAGE_PIXELS / 2 ** 20} million altogether can be read.`,
      'Save the image smaller.',
      { file },
    );
  }
}

async function present<T>(file: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof LorikeetError) throw error;
    throw new LorikeetError('file-missing', `${file} can no longer be read.`, 'Drop the files again; they were moved or changed.', { file }, { cause: error });
  }
}

/** Width and height of the picture upright, and how it was stored. */
export interface PictureFacts extends ImageSize {
  orientation: Orientation;
}

/**
 * Width and height of an image as the model sees it, upright. Reads the header only where that suffices; else decodes.
 * @throws LorikeetError "image" for unknown, empty, damaged or too large files; "file-missing" when the file has gone
 */
export async function readImageSize(image: Blob, file: string): Promise<ImageSize> {
  const { width, height } = await readPictureFacts(image, file);
  return { width, height };
}

/** As `readImageSize`, with the orientation that the file notes. */
export async function readPictureFacts(image: Blob, file: string): Promise<PictureFacts> {
  checkFileSize(image, file);
  const bytes = await present(file, startOf(image, HEADER_BYTES, file));
  const start = checkHeader(readImageHeader(bytes), file);
  if (start.size && !endsWithOrientation(bytes, start.type)) return facts(start.size, readOrientation(bytes, start.type));
  const whole = await present(file, bytesOf(image, file));
  const { size, type } = checkHeader(readImageHeader(whole), file);
  if (size) return facts(size, readOrientation(whole, type));
  const { height, width } = await decodeImage(image, file);
  return { height, width, orientation: 1 };
}

function facts({ width, height }: ImageSize, orientation: Orientation): PictureFacts {
  return liesOnItsSide(orientation) ? { width: height, height: width, orientation } : { width, height, orientation };
}

/**
 * Decodes to 8-bit RGB as `ImageOps.exif_transpose(Image.open(file)).convert("RGB")` does: the first frame, turned as
 * EXIF says, alpha dropped, gray repeated. PNG is exact everywhere; the other formats need a browser, whose decoder
 * may differ from libjpeg in single levels and darkens pixels that are partly transparent.
 * @throws LorikeetError "image" for unknown, damaged or too large files; "file-missing" when the file has gone
 */
export async function decodeImage(image: Blob, file: string): Promise<RgbImage> {
  checkFileSize(image, file);
  const bytes = await present(file, bytesOf(image, file));
  const { type, size } = checkHeader(readImageHeader(bytes), file);
  const orientation = readOrientation(bytes, type);
  if (type === 'png') return uprightImage(decodePng(bytes, file), orientation);
  if (size === null && type !== 'avif') throw new LorikeetError('image', `${file}: the image header is damaged or cut off.`, 'Replace the image file.', { file });
  const parts = type === 'gif' ? [withoutTransparency(bytes)] : withoutOrientation(bytes, type);
  return uprightImage(await decodeInBrowser(new Blob(parts, { type: MIME_TYPES[type] }), file), orientation);
}

async function decodeInBrowser(image: Blob, file: string): Promise<RgbImage> {
  if (typeof createImageBitmap !== 'function' || typeof OffscreenCanvas !== 'function') {
    throw new LorikeetError('image', `${file}: ${image.type} images can only be decoded in a browser.`, 'Convert it to PNG.', { file });
  }
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(image, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch (error) {
    throw new LorikeetError('image', `${file}: the browser cannot decode this ${image.type} file.`, 'Save the image again or convert it to PNG.', { file }, { cause: error });
  }
  try {
    const { width, height } = bitmap;
    checkDimensions({ width, height }, file);
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (!context) throw new LorikeetError('image', `${file}: no canvas of ${width} × ${height} pixels could be made.`, 'Save the image smaller.', { file });
    context.drawImage(bitmap, 0, 0);
    return { pixels: dropAlpha(context.getImageData(0, 0, width, height).data), height, width };
  } finally {
    bitmap.close();
  }
}

function dropAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const pixels = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    pixels[to++] = rgba[from];
    pixels[to++] = rgba[from + 1];
    pixels[to++] = rgba[from + 2];
  }
  return pixels;
}
