import { BlobSource } from 'mediabunny';
import { expect, it } from 'vitest';
import { endingSource } from '../../../src/processing/video-source.ts';

interface Readable {
  _read(start: number, end: number): unknown;
}

/** A source whose bytes are at hand at once. */
function source(): Readable {
  const plain = new BlobSource(new Blob(['x'])) as unknown as Readable;
  plain._read = (start, end) => end - start;
  return endingSource(plain as unknown as BlobSource) as unknown as Readable;
}

it('ends a search that asks for the same bytes without giving the thread back', () => {
  const { _read } = source();
  const search = () => {
    for (let i = 0; i < 100_000; i++) _read(i % 2 === 0 ? 40 : 44, 48);
  };
  expect(search).toThrow('nothing that can be read follows byte 40');
});

it('lets a long file be read once, and a clip be read epoch after epoch', async () => {
  const { _read } = source();
  for (let i = 0; i < 100_000; i++) expect(_read(i, i + 8)).toBe(8);
  for (let epoch = 0; epoch < 20; epoch++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (let i = 0; i < 2000; i++) _read(i, i + 8);
  }
});
