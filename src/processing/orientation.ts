/**
 * The orientation that a camera notes in a picture's EXIF block: read, hidden from the browser's decoder, and applied.
 *
 * Models, previews and boxes all see the picture upright, as transformers' `load_image`, vLLM and the annotation tools
 * show it. The browser is not asked to turn it: which formats it turns, and when, differs between browsers.
 */
import type { ImageType } from './image-header.ts';
import type { RgbImage } from './resample.ts';

/** EXIF 2.3, tag 274: 1 is upright, 2 to 4 are mirrored or upside down, 5 to 8 lie on their side. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const TAG = 0x0112;
/** Bytes of an entry's value by its type: BYTE, SHORT, LONG. */
const VALUE_TYPES = [1, 3, 4];
const MAX_ENTRIES = 1000;
const START_OF_SCAN = 0xda;
/** APP1: EXIF and XMP. */
const METADATA_MARKER = 0xe1;
/** Among the features in a WebP's VP8X block. */
const EXIF_FLAG = 8;

/** A block of the file, header included, and what it is called. */
interface Block {
  name: string;
  from: number;
  content: number;
  next: number;
}

/** Orientation of an encoded picture; 1 where it notes none, or none that can be read. AVIF has its own and is left to the decoder. */
export function readOrientation(bytes: Uint8Array, type: ImageType): Orientation {
  if (type === 'jpeg') {
    const block = jpegBlocks(bytes).find(({ name, content }) => name === 'APP1' && textAt(bytes, content, 6) === 'Exif\0\0');
    return block ? inTiff(bytes.subarray(block.content + 6, block.next)) : 1;
  }
  if (type === 'png') {
    const block = pngBlocks(bytes).find(({ name }) => name === 'eXIf');
    return block ? inTiff(bytes.subarray(block.content, block.next - 4)) : 1;
  }
  if (type === 'webp') {
    const block = riffBlocks(bytes).find(({ name }) => name === 'EXIF');
    if (!block) return 1;
    const content = textAt(bytes, block.content, 6) === 'Exif\0\0' ? block.content + 6 : block.content;
    return inTiff(bytes.subarray(content, block.next));
  }
  return 1;
}

/** Whether the orientation lies behind the pixels, so that the first bytes of the file do not tell it. */
export function endsWithOrientation(start: Uint8Array, type: ImageType): boolean {
  return type === 'webp' && textAt(start, 12, 4) === 'VP8X' && (start[20] & EXIF_FLAG) !== 0;
}

/** The encoded picture in pieces, without the blocks by which a browser might turn it. */
export function withoutOrientation(bytes: Uint8Array<ArrayBuffer>, type: ImageType): Uint8Array<ArrayBuffer>[] {
  const left = type === 'jpeg' ? jpegBlocks(bytes).filter(({ name }) => name === 'APP1') : [];
  const kept: Uint8Array<ArrayBuffer>[] = [];
  let from = 0;
  for (const block of left) {
    kept.push(bytes.subarray(from, block.from));
    from = block.next;
  }
  kept.push(bytes.subarray(from));
  if (type !== 'webp') return kept;
  // A block of another name is skipped; taking it away would mean writing the file's length anew.
  const copy = bytes.slice();
  for (const { name, from: at } of riffBlocks(bytes)) if (name === 'EXIF') copy.set([0x6e, 0x6f, 0x6e, 0x65], at);
  return [copy];
}

/** Whether width and height change places. */
export function liesOnItsSide(orientation: Orientation): boolean {
  return orientation >= 5;
}

/** The picture upright, as PIL's `ImageOps.exif_transpose` gives it. */
export function uprightImage(image: RgbImage, orientation: Orientation): RgbImage {
  if (orientation === 1) return image;
  const { pixels, width, height } = image;
  const [across, down] = liesOnItsSide(orientation) ? [height, width] : [width, height];
  const [right, bottom] = [width - 1, height - 1];
  const source: Record<Orientation, (x: number, y: number) => number> = {
    1: (x, y) => y * width + x,
    2: (x, y) => y * width + right - x,
    3: (x, y) => (bottom - y) * width + right - x,
    4: (x, y) => (bottom - y) * width + x,
    5: (x, y) => x * width + y,
    6: (x, y) => (bottom - x) * width + y,
    7: (x, y) => (bottom - x) * width + right - y,
    8: (x, y) => x * width + right - y,
  };
  const at = source[orientation];
  const turned = new Uint8Array(pixels.length);
  for (let y = 0, to = 0; y < down; y++) {
    for (let x = 0; x < across; x++) {
      const from = at(x, y) * 3;
      turned[to++] = pixels[from];
      turned[to++] = pixels[from + 1];
      turned[to++] = pixels[from + 2];
    }
  }
  return { pixels: turned, width: across, height: down };
}

/** The tag in a TIFF header with its first directory. */
function inTiff(tiff: Uint8Array): Orientation {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  if (tiff.length < 8) return 1;
  const order = textAt(tiff, 0, 2);
  const little = order === 'II';
  if ((!little && order !== 'MM') || view.getUint16(2, little) !== 42) return 1;
  const start = view.getUint32(4, little);
  if (start + 2 > tiff.length) return 1;
  const count = Math.min(MAX_ENTRIES, view.getUint16(start, little));
  for (let i = 0, at = start + 2; i < count && at + 12 <= tiff.length; i++, at += 12) {
    if (view.getUint16(at, little) !== TAG) continue;
    const type = view.getUint16(at + 2, little);
    if (!VALUE_TYPES.includes(type)) return 1;
    const value = type === 1 ? view.getUint8(at + 8) : type === 3 ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
    return value >= 1 && value <= 8 ? (value as Orientation) : 1;
  }
  return 1;
}

function jpegBlocks(bytes: Uint8Array): Block[] {
  const blocks: Block[] = [];
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== START_OF_SCAN) {
    if (bytes[at + 1] === 0xff) {
      at++;
      continue;
    }
    const next = at + 2 + bytes[at + 2] * 256 + bytes[at + 3];
    if (bytes[at + 1] === METADATA_MARKER) blocks.push({ name: 'APP1', from: at, content: at + 4, next });
    at = next;
  }
  return blocks;
}

/** Up to the pixels: what stands behind them would have to be searched for in files that are not read as a whole. */
function pngBlocks(bytes: Uint8Array): Block[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: Block[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const name = textAt(bytes, at + 4, 4);
    const next = at + 12 + view.getUint32(at);
    if (name === 'IDAT') break;
    blocks.push({ name, from: at, content: at + 8, next });
    at = next;
  }
  return blocks;
}

function riffBlocks(bytes: Uint8Array): Block[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: Block[] = [];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    blocks.push({ name: textAt(bytes, at, 4), from: at, content: at + 8, next: at + 8 + length });
    at += 8 + length + (length % 2);
  }
  return blocks;
}

function textAt(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
