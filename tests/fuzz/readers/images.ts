/** Pictures: headers of all kinds, and the pixels of PNG, which decode the same or not at all. */
import { crc32 } from '../../../src/processing/crc32.ts';
import { decodeImage, readImageSize } from '../../../src/processing/decode-image.ts';
import { MAX_IMAGE_PIXELS, readImageHeader } from '../../../src/processing/image-header.ts';
import { readOrientation, withoutOrientation } from '../../../src/processing/orientation.ts';
import { png } from '../../unit/processing/png.ts';
import { blobOf, bytesOf } from '../examples.ts';
import { joined, mutateBytes } from '../mutate/bytes.ts';
import type { FuzzReader } from '../reader.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
/** Characters as bytes. */
const latin = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

const HEADERS = [
  joined(bytes(0xff, 0xd8, 0xff, 0xe0, 0, 16), latin('JFIF\0'), bytes(1, 1, 0, 0, 1, 0, 1, 0, 0, 0xff, 0xe1, 0, 20), latin('Exif\0\0MM\0*'), bytes(0, 0, 0, 8, 0, 0, 0, 0, 0xff, 0xc0, 0, 17, 8, 0, 64, 0, 96, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 3, 0xff, 0xd9)),
  joined(latin('RIFF'), bytes(40, 0, 0, 0), latin('WEBPVP8X'), bytes(10, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 49, 0, 0), latin('VP8 '), new Uint8Array(8)),
  joined(latin('RIFF'), bytes(40, 0, 0, 0), latin('WEBPVP8 '), bytes(20, 0, 0, 0, 0, 0, 0, 0x9d, 1, 0x2a, 96, 0, 64, 0, 0, 0, 0, 0, 0, 0)),
  joined(latin('RIFF'), bytes(40, 0, 0, 0), latin('WEBPVP8L'), bytes(20, 0, 0, 0, 0x2f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3)),
  joined(latin('GIF89a'), bytes(96, 0, 64, 0, 0, 0, 0, 0x3b)),
  joined(latin('BM'), new Uint8Array(12), bytes(40, 0, 0, 0, 96, 0, 0, 0, 64, 0, 0, 0), new Uint8Array(30)),
  joined(bytes(0, 0, 0, 24), latin('ftypavif'), new Uint8Array(40)),
];

export const imageHeaderReader: FuzzReader = {
  name: 'image-header',
  share: 20,
  prepare: async () => async (random) => {
    const input = mutateBytes(random, random.pick(HEADERS));
    const header = readImageHeader(input);
    const size = header?.size;
    if (header) {
      const kept = withoutOrientation(input, header.type).reduce((sum, part) => sum + part.length, 0);
      if (kept > input.length) return 'wrong: longer without its EXIF block';
      const orientation = readOrientation(input, header.type);
      if (!(orientation >= 1 && orientation <= 8)) return `wrong: orientation ${orientation}`;
    }
    if (size && !(Number.isSafeInteger(size.width) && Number.isSafeInteger(size.height) && size.width >= 0 && size.height >= 0)) return `wrong: size ${JSON.stringify(size)}`;
    await readImageSize(blobOf(input), 'x');
    // Only browsers decode these: in Node every one of them is refused.
    await decodeImage(blobOf(input), 'x');
    return 'read';
  },
};

/** Lines of a pattern, each with filter 0. */
function lines(count: number, bytes: number, mask = 255): number[] {
  return Array.from({ length: count * (1 + bytes) }, (_, i) => (i % (1 + bytes) === 0 ? 0 : (i * 7) & mask));
}

/** The same bytes with checksums that fit, so that what lies behind them is reached. */
function withChecksums(input: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(input.buffer);
  for (let at = 8; at + 12 <= input.length; ) {
    const length = view.getUint32(at);
    if (at + 12 + length > input.length) break;
    view.setUint32(at + 8 + length, crc32(input.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
  return input;
}

export const pngReader: FuzzReader = {
  name: 'png',
  share: 8,
  prepare: async () => {
    const examples = [
      ...['a_rgb', 'b_rgba', 'c_gray', 'd_tiny'].map((name) => bytesOf(`tests/fixtures/qwen3_vl/images/${name}.png`)),
      png({ width: 20, height: 10, colorType: 3, palette: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], lines: lines(10, 20, 3) }),
      png({ width: 8, height: 8, depth: 16, lines: lines(8, 48) }),
      png({ width: 16, height: 4, depth: 1, colorType: 0, lines: lines(4, 2) }),
    ];
    const pixelsOf = async (input: Uint8Array<ArrayBuffer>) => {
      const { width, height } = await readImageSize(blobOf(input), 'x.png');
      const image = await decodeImage(blobOf(input), 'x.png');
      return { text: `${width}x${height} ${image.width}x${image.height} ${crc32(image.pixels)}`, area: image.width * image.height };
    };
    const valid = await Promise.all(examples.map(async (example) => (await pixelsOf(Uint8Array.from(example))).text));
    return async (random) => {
      const which = random.below(examples.length);
      const changed = mutateBytes(random, examples[which], random.chance(0.5) ? 8 : 0, random.chance(0.5) ? 60 : undefined);
      const honest = random.chance(0.5);
      const { text, area } = await pixelsOf(honest ? withChecksums(changed) : changed);
      if (!(area >= 1 && area <= MAX_IMAGE_PIXELS)) return `wrong: ${text}`;
      return honest || text === valid[which] ? 'read' : 'wrong: other pixels behind checksums that do not fit';
    };
  },
};

export const unknownMediaReader: FuzzReader = {
  name: 'image-noise',
  share: 10,
  prepare: async () => async (random) => {
    const start = random.pick(['\x89PNG\r\n\x1a\n', '\xff\xd8\xff', 'RIFF0000WEBPVP8 ', 'GIF87a', 'BM', '\0\0\0\x18ftypavif', '']);
    const input = joined(latin(start), Uint8Array.from({ length: random.below(200) }, () => random.below(256)));
    await decodeImage(blobOf(input), 'x');
    return 'wrong: noise became a picture';
  },
};
