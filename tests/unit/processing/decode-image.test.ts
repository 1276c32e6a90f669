import { zlibSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { decodeImage, readImageSize } from '../../../src/processing/decode-image.ts';
import { readImageHeader, sniffImageType } from '../../../src/processing/image-header.ts';
import { chunk, png } from './png.ts';

const decode = (bytes: Uint8Array<ArrayBuffer>) => decodeImage(new Blob([bytes]), 'x.png');

describe('PNG kinds become RGB', () => {
  it.each([
    ['RGB', png({ width: 2, height: 1, lines: [0, 1, 2, 3, 4, 5, 6] }), [1, 2, 3, 4, 5, 6]],
    ['RGBA, alpha dropped and not blended', png({ width: 1, height: 1, colorType: 6, lines: [0, 200, 100, 50, 0] }), [200, 100, 50]],
    ['gray', png({ width: 2, height: 1, colorType: 0, lines: [0, 7, 9] }), [7, 7, 7, 9, 9, 9]],
    ['gray with alpha', png({ width: 1, height: 1, colorType: 4, lines: [0, 7, 1] }), [7, 7, 7]],
    ['1-bit gray', png({ width: 3, height: 1, depth: 1, colorType: 0, lines: [0, 0b10100000] }), [255, 255, 255, 0, 0, 0, 255, 255, 255]],
    ['2-bit gray', png({ width: 2, height: 1, depth: 2, colorType: 0, lines: [0, 0b01110000] }), [85, 85, 85, 255, 255, 255]],
    ['4-bit gray', png({ width: 2, height: 1, depth: 4, colorType: 0, lines: [0, 0x2f] }), [34, 34, 34, 255, 255, 255]],
    ['16-bit gray, cut at 255', png({ width: 3, height: 1, depth: 16, colorType: 0, lines: [0, 0, 200, 1, 0, 0xff, 0xff] }), [200, 200, 200, 255, 255, 255, 255, 255, 255]],
    ['16-bit RGB, upper byte', png({ width: 1, height: 1, depth: 16, lines: [0, 0xab, 0xcd, 0x01, 0xff, 0x00, 0x80] }), [0xab, 0x01, 0x00]],
    ['palette', png({ width: 2, height: 1, colorType: 3, palette: [9, 8, 7, 1, 2, 3], lines: [0, 1, 0] }), [1, 2, 3, 9, 8, 7]],
    ['1-bit palette over two lines', png({ width: 3, height: 2, depth: 1, colorType: 3, palette: [1, 1, 1, 2, 2, 2], lines: [0, 0b01000000, 0, 0b10100000] }), [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2]],
    ['line filters', png({ width: 2, height: 2, colorType: 0, lines: [1, 5, 1, 2, 10, 10] }), [5, 5, 5, 6, 6, 6, 15, 15, 15, 16, 16, 16]],
    ['interlaced', png({ width: 2, height: 2, colorType: 0, interlace: 1, lines: [0, 1, 0, 2, 0, 3, 4] }), [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]],
  ])('%s', async (_name, bytes, expected) => {
    expect([...(await decode(bytes)).pixels]).toEqual(expected);
  });
});

describe('broken and hostile files', () => {
  const sound = png({ width: 2, height: 1, lines: [0, 1, 2, 3, 4, 5, 6] });
  const damaged = (at: number) => sound.map((byte, i) => (i === at ? byte ^ 255 : byte));
  const hugeHeader = png({ width: 0x7fffffff, height: 0x7fffffff, lines: [0] });

  it.each([
    ['empty', new Uint8Array(0), /is empty \(0 bytes\)/],
    ['text', new TextEncoder().encode('{"image": 1}'), /not an image that can be read/],
    ['signature only', sound.slice(0, 8), /truncated/],
    ['cut in the header', sound.slice(0, 20), /truncated/],
    ['cut in the pixels', sound.slice(0, sound.length - 20), /truncated/],
    ['without its end', sound.slice(0, sound.length - 12), /truncated/],
    ['damaged checksum', damaged(30), /cannot be read/],
    ['damaged pixels', damaged(43), /damaged|fewer|more/],
    ['enormous size', hugeHeader, /says it has 2147483647 × 2147483647 pixels/],
    ['zero width', png({ width: 0, height: 5, lines: [0] }), /says it has 0 × 5 pixels/],
    ['too few pixels', png({ width: 2, height: 3, lines: [0, 1, 2, 3, 4, 5, 6] }), /fewer pixels than its header says/],
    ['too many pixels', png({ width: 1, height: 1, lines: [0, 1, 2, 3, 4] }), /more pixels than its header says/],
    ['unknown colour type', png({ width: 1, height: 1, colorType: 5, lines: [0, 0] }), /unknown colour type 5/],
    ['palette missing', png({ width: 1, height: 1, colorType: 3, lines: [0, 0] }), /palette/],
    ['colour outside the palette', png({ width: 1, height: 1, colorType: 3, palette: [1, 2, 3], lines: [0, 4] }), /uses colour 4 of a palette with 1/],
    ['interlaced bits', png({ width: 1, height: 1, depth: 1, colorType: 0, interlace: 1, lines: [0, 0] }), /interlaced/],
    ['unknown line filter', png({ width: 1, height: 1, colorType: 0, lines: [9, 0] }), /cannot be read/],
  ])('%s', async (_name, bytes, message) => {
    await expect(decode(bytes as Uint8Array<ArrayBuffer>)).rejects.toMatchObject({ code: 'image', message: expect.stringMatching(message), place: { file: 'x.png' } });
  });

  it('stops unpacking a bomb early', async () => {
    const bomb = png({ width: 4, height: 4, lines: [] });
    const packed = zlibSync(new Uint8Array(64 * 2 ** 20));
    // What lies behind the first part would be reported as damaged, if it were ever looked at.
    packed.fill(0xff, 32768);
    const at = bomb.length - 12 - chunk('IDAT', zlibSync(new Uint8Array(0))).length;
    const file = new Blob([bomb.subarray(0, at), chunk('IDAT', packed) as Uint8Array<ArrayBuffer>, chunk('IEND', []) as Uint8Array<ArrayBuffer>]);
    await expect(decodeImage(file, 'x.png')).rejects.toThrow(/more pixels than its header says/);
  });

  it('does not unpack text and profiles', async () => {
    const bomb = chunk('iCCP', [...new TextEncoder().encode('a\0\0'), ...zlibSync(new Uint8Array(2 ** 20))]);
    const image = await decode(png({ width: 1, height: 1, lines: [0, 1, 2, 3], extra: [bomb, chunk('tEXt', [1, 2, 3])] }));
    expect([...image.pixels]).toEqual([1, 2, 3]);
  });

  it('says that other formats need a browser', async () => {
    const gif = Uint8Array.of(0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 3, 0, 2, 0, 0, 0, 0);
    await expect(decodeImage(new Blob([gif]), 'a.gif')).rejects.toThrow(/can only be decoded in a browser/);
    expect(await readImageSize(new Blob([gif]), 'a.gif')).toEqual({ width: 3, height: 2 });
  });

  it('reports a file that has gone', async () => {
    const gone = { size: 5, slice: () => gone, arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotFoundError')) } as unknown as Blob;
    await expect(decodeImage(gone, 'a.png')).rejects.toMatchObject({ code: 'file-missing' });
  });
});

describe('image headers', () => {
  const bytes = (text: string, ...rest: number[]) => Uint8Array.from([...[...text].map((c) => c.charCodeAt(0)), ...rest]);

  it.each([
    ['jpeg', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 1, 0xff, 0xff, 0xc2, 0, 11, 8, 0x01, 0x02, 0x03, 0x04, 3, 0, 0), { height: 0x102, width: 0x304 }],
    ['jpeg', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 1, 1, 1, 1, 1, 1), null],
    ['jpeg', Uint8Array.of(0xff, 0xd8, 0xff, 0xc4, 0, 2, 0, 0, 0, 0, 0, 0, 0), null],
    ['bmp', bytes('BM', ...new Array<number>(12).fill(0), 40, 0, 0, 0, 5, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff), { width: 5, height: 2 }],
    ['gif', bytes('GIF87a', 4, 1, 2, 0), { width: 260, height: 2 }],
    ['webp', bytes('RIFF0000WEBPVP8X', ...new Array<number>(8).fill(0), 9, 0, 0, 4, 1, 0), { width: 10, height: 261 }],
    ['webp', bytes('RIFF0000WEBPVP8 ', 0, 0, 0, 0, 0, 0, 0, 0x9d, 0x01, 0x2a, 10, 0x40, 20, 0x80), { width: 10, height: 20 }],
    ['webp', bytes('RIFF0000WEBPVP8L', 0, 0, 0, 0, 0x2f, 0x09, 0xc0, 0x04, 0, 0, 0, 0, 0, 0), { width: 10, height: 20 }],
    ['avif', bytes('\0\0\0\x20ftypavif', 0, 0), null],
    ['png', bytes('\x89PNG\r\n\x1a\n', 0, 0), null],
  ])('%s', (type, header, size) => {
    expect(readImageHeader(header)).toEqual({ type, size });
  });

  it('does not take names for contents', () => {
    expect(sniffImageType(bytes('hello'))).toBeNull();
    expect(sniffImageType(new Uint8Array(0))).toBeNull();
    expect(readImageHeader(bytes('RIFF0000WAVE'))).toBeNull();
  });
});
