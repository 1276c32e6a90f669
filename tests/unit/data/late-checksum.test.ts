/** Pictures of an archive are unpacked and compared with their checksums when they are read, not when the archive is opened. */
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { openDataset, readDataset } from '../../../src/data/dataset.ts';
import { plainFile, sizeOf } from '../../../src/processing/archived-file.ts';
import { decodeImage, readImageSize } from '../../../src/processing/decode-image.ts';
import { png } from '../processing/png.ts';

const picture = png({ width: 4, height: 4, lines: new Array<number>(4 * 13).fill(0) });
const rows = JSON.stringify([{ image: 'a.png', conversations: [{ from: 'human', value: 'q' }, { from: 'gpt', value: 'a' }] }]);
const LEVELS = [0, 6] as const;

function archive(level: 0 | 6, spoil: (zip: Uint8Array) => void) {
  const zip = zipSync({ 'train.json': new TextEncoder().encode(rows), 'a.png': picture }, { level });
  spoil(zip);
  return [{ path: 'set.zip', file: new Blob([zip as Uint8Array<ArrayBuffer>]) }];
}

/** Where the last byte of the picture lies: before the table of contents. */
const endOfPicture = (zip: Uint8Array) => Buffer.from(zip).indexOf(Buffer.from([0x50, 0x4b, 1, 2])) - 1;
const options = { kind: 'conversations', validationSplit: 0, seed: 1 } as const;

async function pictureIn(files: ReturnType<typeof archive>) {
  const { train, problemCount } = await readDataset({ train: files, validation: [] }, options);
  expect(problemCount).toBe(0);
  const [medium] = train[0].media;
  if (medium.kind !== 'image') throw new Error('no picture');
  return medium.file;
}

describe.each(LEVELS)('packed at level %i', (level) => {
  it('a whole picture is decoded, and is plain for others', async () => {
    const { file, path } = await pictureIn(archive(level, () => undefined));
    expect(sizeOf(file)).toBe(picture.length);
    expect(await readImageSize(file, path)).toEqual({ width: 4, height: 4 });
    expect((await decodeImage(file, path)).width).toBe(4);
    expect(new Uint8Array(await (await plainFile(file, path)).arrayBuffer())).toEqual(new Uint8Array(picture));
  });

  it('a changed one opens with its archive and is named when it is read', async () => {
    const { file, path } = await pictureIn(archive(level, (zip) => (zip[endOfPicture(zip)] ^= 1)));
    await expect(decodeImage(file, path)).rejects.toMatchObject({ code: 'image', message: expect.stringMatching(/^set\.zip\/a\.png is damaged: (its checksum differs|it cannot be unpacked|it unpacks to another size)/) });
  });
});

it('the size of a large packed picture is read from its beginning', async () => {
  const noise = Uint8Array.from({ length: 400_000 }, (_, i) => (i * i * 2654435761) >>> 13);
  const large = png({ width: 1000, height: 133, lines: [...noise.subarray(0, 133 * 3001)].map((byte, i) => (i % 3001 === 0 ? 0 : byte)) });
  const zip = zipSync({ 'train.json': new TextEncoder().encode(rows), 'a.png': large }, { level: 6 });
  expect(zip.length).toBeGreaterThan(150_000);
  const at = endOfPicture(zip);
  zip[at - 1000] ^= 255;
  const { file, path } = await pictureIn([{ path: 'set.zip', file: new Blob([zip as Uint8Array<ArrayBuffer>]) }]);
  expect(await readImageSize(file, path)).toEqual({ width: 1000, height: 133 });
  await expect(decodeImage(file, path)).rejects.toMatchObject({ code: 'image', message: expect.stringContaining('set.zip/a.png is damaged') });
});

it.each(LEVELS)('records packed at level %i are compared at once', async (level) => {
  const { problems } = await openDataset({ train: archive(level, (zip) => (zip[30 + 'train.json'.length + 20] ^= 1)), validation: [] });
  expect(problems.listed).toMatchObject([{ level: 'error', file: 'set.zip' }]);
});
