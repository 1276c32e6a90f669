/** Pictures of an archive are compared with their checksums when they are read, not when the archive is opened. */
import { zipSync } from 'fflate';
import { expect, it } from 'vitest';
import { openDataset, readDataset } from '../../../src/data/dataset.ts';
import { decodeImage } from '../../../src/processing/decode-image.ts';
import { png } from '../processing/png.ts';

const picture = png({ width: 4, height: 4, lines: new Array<number>(4 * 13).fill(0) });
const rows = JSON.stringify([{ image: 'a.png', conversations: [{ from: 'human', value: 'q' }, { from: 'gpt', value: 'a' }] }]);

function archive(spoil: (zip: Uint8Array) => void) {
  const zip = zipSync({ 'train.json': new TextEncoder().encode(rows), 'a.png': picture }, { level: 0 });
  spoil(zip);
  return [{ path: 'set.zip', file: new Blob([zip as Uint8Array<ArrayBuffer>]) }];
}

const startOf = (zip: Uint8Array, bytes: Uint8Array) => Buffer.from(zip).indexOf(Buffer.from(bytes));
const options = { kind: 'conversations', validationSplit: 0, seed: 1 } as const;

it('a whole picture is decoded', async () => {
  const { train } = await readDataset({ train: archive(() => undefined), validation: [] }, options);
  const [medium] = train[0].media;
  expect(medium.kind === 'image' && (await decodeImage(medium.file.file, medium.file.path)).width).toBe(4);
});

it('a changed one opens with its archive and is named when it is read', async () => {
  const { train, problemCount } = await readDataset({ train: archive((zip) => (zip[startOf(zip, picture) + picture.length - 1] ^= 1)), validation: [] }, options);
  expect(problemCount).toBe(0);
  const [medium] = train[0].media;
  await expect(medium.kind === 'image' && decodeImage(medium.file.file, medium.file.path)).rejects.toMatchObject({ code: 'image', message: 'set.zip/a.png is damaged: its checksum differs from the archive’s.' });
});

it('records are compared at once', async () => {
  const { problems } = await openDataset({ train: archive((zip) => (zip[startOf(zip, new TextEncoder().encode(rows)) + 3] ^= 1)), validation: [] });
  expect(problems.listed).toMatchObject([{ level: 'error', file: 'set.zip' }]);
});
