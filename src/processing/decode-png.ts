/** PNG -> RGB, exact and the same in Node and browsers: no colour management, alpha dropped rather than blended. */
import { decode, type DecodedPng } from 'fast-png';
import { Unzlib } from 'fflate';
import { LorikeetError } from '../protocol/errors.ts';
import type { RgbImage } from './resample.ts';

interface PngLayout {
  width: number;
  height: number;
  depth: number;
  colorType: number;
  interlaced: boolean;
  /** Byte ranges of the chunks that matter for the pixels, header and checksum included. */
  essential: Uint8Array[];
  /** Contents of the IDAT chunks. */
  compressed: Uint8Array[];
}

const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

function corrupt(what: string, file: string, cause?: unknown): LorikeetError {
  return new LorikeetError('image', `${file}: ${what}.`, 'Save the image again or replace it.', { file }, { cause });
}

/** Splits the file into chunks and keeps those that decide about pixels; text and colour profiles are never unpacked. */
function readLayout(bytes: Uint8Array, file: string): PngLayout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const essential: Uint8Array[] = [bytes.subarray(0, 8)];
  const compressed: Uint8Array[] = [];
  let header: DataView | null = null;
  let at = 8;
  let ended = false;
  while (!ended) {
    if (at + 12 > bytes.length) throw corrupt('the PNG file is truncated', file);
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const next = at + 12 + length;
    if (next > bytes.length) throw corrupt(`the PNG file is truncated inside chunk ${JSON.stringify(type)}`, file);
    if (type === 'IHDR') {
      if (length !== 13 || header) throw corrupt('the PNG header is damaged', file);
      header = new DataView(bytes.buffer, bytes.byteOffset + at + 8, 13);
    }
    if (type === 'IDAT') compressed.push(bytes.subarray(at + 8, at + 8 + length));
    if (type === 'IHDR' || type === 'PLTE' || type === 'IDAT' || type === 'IEND') essential.push(bytes.subarray(at, next));
    ended = type === 'IEND';
    at = next;
  }
  if (!header) throw corrupt('the PNG header is missing', file);
  return {
    width: header.getUint32(0),
    height: header.getUint32(4),
    depth: header.getUint8(8),
    colorType: header.getUint8(9),
    interlaced: header.getUint8(12) === 1,
    essential,
    compressed,
  };
}

/** Bytes that the pixel data must unpack to: one filter byte and the packed samples per line (and pass). */
function unpackedLength({ width, height, depth, colorType, interlaced }: PngLayout): number {
  const bitsPerPixel = depth * CHANNELS[colorType];
  const lines = (w: number, h: number) => (w === 0 ? 0 : h * (1 + Math.ceil((w * bitsPerPixel) / 8)));
  if (!interlaced) return lines(width, height);
  return ADAM7.reduce((sum, [x, y, dx, dy]) => sum + lines(Math.max(0, Math.ceil((width - x) / dx)), Math.max(0, Math.ceil((height - y) / dy))), 0);
}

/** Unpacks without keeping anything: a file that holds more or less than its header says is refused before memory is spent. */
function checkUnpackedLength(layout: PngLayout, file: string): void {
  const expected = unpackedLength(layout);
  const slice = 16384;
  let total = 0;
  const counter = new Unzlib((chunk) => {
    total += chunk.length;
  });
  try {
    for (const part of layout.compressed) {
      for (let at = 0; at < part.length && total <= expected; at += slice) counter.push(part.subarray(at, at + slice));
    }
  } catch (error) {
    throw corrupt('the pixel data of the PNG file is damaged', file, error);
  }
  if (total !== expected) {
    throw corrupt(`the PNG file holds ${total < expected ? 'fewer' : 'more'} pixels than its header says`, file);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Sample i of a packed line, as stored (not scaled). */
function unpackSamples(png: DecodedPng): Uint8Array | Uint16Array {
  if (png.depth >= 8) return png.data instanceof Uint8ClampedArray ? new Uint8Array(png.data.buffer) : png.data;
  const lineBytes = Math.ceil((png.width * png.depth) / 8);
  const mask = (1 << png.depth) - 1;
  const perByte = 8 / png.depth;
  const samples = new Uint8Array(png.width * png.height);
  for (let y = 0, out = 0; y < png.height; y++) {
    for (let x = 0; x < png.width; x++) {
      const byte = png.data[y * lineBytes + Math.floor(x / perByte)];
      samples[out++] = (byte >> (8 - png.depth * ((x % perByte) + 1))) & mask;
    }
  }
  return samples;
}

function toRgb(png: DecodedPng, file: string): Uint8Array {
  const samples = unpackSamples(png);
  const count = png.width * png.height;
  const pixels = new Uint8Array(count * 3);
  if (png.palette) {
    const palette = png.palette;
    for (let i = 0; i < count; i++) {
      if (samples[i] >= palette.length) throw corrupt(`pixel ${i} uses colour ${samples[i]} of a palette with ${palette.length}`, file);
      const color = palette[samples[i]];
      pixels[i * 3] = color[0];
      pixels[i * 3 + 1] = color[1];
      pixels[i * 3 + 2] = color[2];
    }
    return pixels;
  }
  // As PIL does: 16-bit colours keep their upper byte, 16-bit grays are cut at 255, smaller grays are spread over 0 … 255.
  if (png.depth === 16 && png.channels === 1) {
    for (let i = 0; i < count; i++) pixels.fill(Math.min(255, samples[i]), i * 3, i * 3 + 3);
    return pixels;
  }
  const shift = png.depth === 16 ? 8 : 0;
  const spread = png.depth < 8 ? 255 / ((1 << png.depth) - 1) : 1;
  const channels = png.channels;
  const [green, blue] = channels >= 3 ? [1, 2] : [0, 0];
  for (let i = 0; i < count; i++) {
    pixels[i * 3] = (samples[i * channels] >> shift) * spread;
    pixels[i * 3 + 1] = (samples[i * channels + green] >> shift) * spread;
    pixels[i * 3 + 2] = (samples[i * channels + blue] >> shift) * spread;
  }
  return pixels;
}

/**
 * Decodes a PNG whose size has been checked against the limits.
 * @throws LorikeetError "image" for damaged, truncated or lying files
 */
export function decodePng(bytes: Uint8Array, file: string): RgbImage {
  const layout = readLayout(bytes, file);
  if (!Object.hasOwn(CHANNELS, layout.colorType)) throw corrupt(`the PNG header names the unknown colour type ${layout.colorType}`, file);
  if (layout.interlaced && layout.depth < 8) {
    throw new LorikeetError('image', `${file}: interlaced PNG with ${layout.depth} bits per sample.`, 'Save the image without interlacing.', { file });
  }
  checkUnpackedLength(layout, file);
  let png: DecodedPng;
  try {
    png = decode(joined(layout.essential), { checkCrc: true });
  } catch (error) {
    throw corrupt(`the PNG file cannot be read (${error instanceof Error ? error.message : String(error)})`, file, error);
  }
  if (layout.colorType === 3 && !png.palette?.length) throw corrupt('the palette of the PNG file is missing', file);
  if (layout.colorType !== 3) png.palette = undefined;
  return { pixels: toRgb(png, file), height: png.height, width: png.width };
}
