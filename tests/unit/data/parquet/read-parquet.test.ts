import { describe, expect, it } from 'vitest';
import { PARQUET_LIMITS, readParquet } from '../../../../src/data/parquet/read-parquet.ts';
import { decodeImage } from '../../../../src/processing/decode-image.ts';
import { bytesOf, fixture } from './fixture.ts';

const QUESTIONS = Array.from({ length: 4 }, (_, i) => ({ question: `What is in picture ${i}?`, answer: `device ${i} 路灯` }));

/** A Blob that counts what is read of it. */
class Counted extends Blob {
  read = 0;

  override slice(start = 0, end = this.size, type?: string): Blob {
    const piece = super.slice(start, end, type);
    this.read += piece.size;
    return piece;
  }
}

async function pixelsOf(name: string): Promise<string[]> {
  const { media } = await readParquet(fixture(name));
  return Promise.all(media.map(async ({ file, path }) => Buffer.from((await decodeImage(file, path)).pixels).toString('base64')));
}

describe('parquet files', () => {
  it.each(['none', 'snappy', 'zstd', 'gzip', 'second-form'])('packed with %s give the same rows and pictures', async (name) => {
    const { records, media, broken, faults } = await readParquet(fixture(`${name}.parquet`));
    expect({ broken, faults }).toEqual({ broken: 0, faults: [] });
    expect(records).toEqual(QUESTIONS.map((texts, i) => ({ value: { image: `${name}.parquet/row-${i + 1}.png`, ...texts }, sample: i + 1 })));
    expect(media.map(({ path }) => path)).toEqual(QUESTIONS.map((_, i) => `${name}.parquet/row-${i + 1}.png`));
    const pixels = await pixelsOf(`${name}.parquet`);
    expect(new Set(pixels).size).toBe(4);
    expect(pixels).toEqual(await pixelsOf('none.parquet'));
  });

  it('leaves pictures in the file where the file holds their bytes as they are', async () => {
    const none = { ...PARQUET_LIMITS, heldBytes: 0 };
    expect((await readParquet(fixture('none.parquet'), Infinity, none)).media).toHaveLength(4);
    // Snappy shortens a few bytes of a PNG's beginning and end.
    expect((await readParquet(fixture('snappy.parquet'), Infinity, { ...PARQUET_LIMITS, heldBytes: 2000 })).media).toHaveLength(4);
    await expect(readParquet(fixture('zstd.parquet'), Infinity, none)).rejects.toMatchObject({ code: 'dataset', message: expect.stringContaining('packed with ZSTD'), place: { file: 'zstd.parquet' } });
  });

  it('refuses more text than the memory is to hold', async () => {
    await expect(readParquet(fixture('many-groups.parquet'), Infinity, { ...PARQUET_LIMITS, textBytes: 4000 })).rejects.toMatchObject({ code: 'dataset', message: expect.stringContaining('texts and numbers') });
  });

  it('reads lists of turns and of pictures', async () => {
    const { records } = await readParquet(fixture('messages.parquet'));
    expect(records.map(({ value }) => value)).toEqual([
      { id: 7, messages: [{ role: 'user', content: '<image><image>Compare.' }, { role: 'assistant', content: 'alike' }], images: ['messages.parquet/row-1.png', 'messages.parquet/row-1-2.png'] },
      { id: 8, messages: ['hello', 'hello', 'more?', 'no'].map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content })), images: [] },
      { id: 9, messages: [{ role: 'user', content: '<image>What?' }, { role: 'assistant', content: 'a sign' }], images: ['messages.parquet/row-3.png'] },
    ]);
  });

  it('names classes as the file itself does', async () => {
    const { records } = await readParquet(fixture('classes.parquet'));
    expect(records.map(({ value }) => value.label)).toEqual(['lamp', 'sign', 'camera', 'lamp']);
  });

  it('turns a turn of lists into a list of turns', async () => {
    const { records } = await readParquet(fixture('turns-as-lists.parquet'));
    expect(records[1].value.conversations).toEqual([{ from: 'human', value: 'q1' }, { from: 'gpt', value: 'a1' }]);
  });

  it('takes bytes without a mark for what they are, and dates as text', async () => {
    const { records, media } = await readParquet(fixture('unknown-columns.parquet'));
    expect(records[0].value).toEqual({ photo: 'unknown-columns.parquet/row-1.png', frage: 'Was ist auf Bild 0?', antwort: 'Gerät 0', when: '1970-01-01T00:00:00.000Z' });
    expect(media).toHaveLength(3);
  });

  it('leaves paths of pictures that lie elsewhere', async () => {
    const { records, media } = await readParquet(fixture('paths-only.parquet'));
    expect(records[0].value.image).toEqual({ bytes: null, path: 'images/a.png' });
    expect(media).toEqual([]);
  });

  it('reads no more of the file than the first rows need', async () => {
    const file = new Counted([bytesOf('many-groups.parquet')]);
    const { records } = await readParquet({ path: 'a.parquet', file }, 5);
    expect(records.map(({ value }) => value.id)).toEqual([0, 1, 2, 3, 4]);
    const some = file.read;
    expect((await readParquet({ path: 'a.parquet', file })).records).toHaveLength(40);
    expect(some).toBeLessThan((file.read - some) * 0.6);
  });
});
