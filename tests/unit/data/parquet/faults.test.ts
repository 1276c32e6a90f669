import { describe, expect, it } from 'vitest';
import { readParquet } from '../../../../src/data/parquet/read-parquet.ts';
import { LorikeetError } from '../../../../src/protocol/errors.ts';
import { bytesOf, fixture } from './fixture.ts';

const read = (name: string, bytes?: Uint8Array<ArrayBuffer>) => readParquet(fixture(name, bytes));

async function refusal(bytes: Uint8Array<ArrayBuffer>): Promise<LorikeetError> {
  const error: unknown = await readParquet(fixture('a.parquet', bytes)).then(() => null, (thrown: unknown) => thrown);
  if (!(error instanceof LorikeetError)) throw new Error(`not refused: ${String(error)}`);
  expect(error.place.file).toBe('a.parquet');
  expect(error.advice).not.toBe('');
  return error;
}

const text = (value: string) => new TextEncoder().encode(value) as Uint8Array<ArrayBuffer>;

function changed(name: string, change: (bytes: Uint8Array<ArrayBuffer>, view: DataView) => void): Uint8Array<ArrayBuffer> {
  const bytes = bytesOf(name);
  change(bytes, new DataView(bytes.buffer));
  return bytes;
}

/** Where a text stands for the first time. */
const placeOf = (bytes: Uint8Array, words: string) => Buffer.from(bytes).indexOf(words);

describe('files that are no parquet, or not whole', () => {
  it.each([
    ['nothing', new Uint8Array(0), /empty/],
    ['another file', text('{"a": 1}\n{"a": 2}\n'), /does not begin with "PAR1"/],
    ['an LFS pointer', text('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'), /Git LFS pointer/],
    ['the beginning alone', text('PAR1'), /cut off/],
    ['a file that is cut off', bytesOf('snappy.parquet').slice(0, -100), /cut off/],
    ['a footer of the wrong length', changed('snappy.parquet', (bytes, view) => view.setUint32(bytes.length - 8, 2 ** 31, true)), /footer says that it has 2147483648 bytes/],
    ['a footer that is too short', changed('snappy.parquet', (bytes, view) => view.setUint32(bytes.length - 8, 300, true)), /footer of the file is damaged/],
    ['an encrypted file', bytesOf('encrypted.parquet'), /encrypted/],
    ['an encrypted column', bytesOf('encrypted-column.parquet'), /column "answer" is encrypted/],
    ['too many rows', bytesOf('too-many-rows.parquet'), /2000001 rows, at most 2000000 are read/],
    ['Brotli', bytesOf('brotli.parquet'), /column "image.bytes": it is packed with BROTLI/],
    ['LZ4', bytesOf('lz4.parquet'), /column "image.bytes": it is packed with LZ4_RAW/],
  ])('%s', async (_what, bytes, words) => {
    expect((await refusal(bytes)).message).toMatch(words);
  });
});

describe('damage inside', () => {
  it('costs the rows of one group, which are counted and named', async () => {
    const bytes = changed('many-groups.parquet', (bytes) => void (bytes[placeOf(bytes, '\x03\0\0\0q13') + 4] = 0xff));
    const { records, broken, faults } = await read('many-groups.parquet', bytes);
    expect(broken).toBe(4);
    expect(records.map(({ sample }) => sample)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1).filter((row) => row < 13 || row > 16));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ code: 'dataset', message: expect.stringMatching(/^Rows 13 to 16 cannot be read: column "question"/), place: { file: 'many-groups.parquet', sample: 13, field: 'question' } });
  });

  it('is found by checksums where the writer made any', async () => {
    const bytes = changed('second-form.parquet', (bytes) => void (bytes[placeOf(bytes, 'IHDR')] ^= 1));
    const { broken, faults } = await read('second-form.parquet', bytes);
    expect(broken).toBe(4);
    expect(faults[0].message).toContain('checksum');
  });

  it('is told for texts that are no UTF-8', async () => {
    const at = placeOf(bytesOf('none.parquet'), 'What is in picture 2?');
    const { records, faults } = await read('none.parquet', changed('none.parquet', (bytes) => void (bytes[at] = 0xff)));
    expect(records).toHaveLength(2);
    expect(faults[0].message).toMatch(/Rows 3 to 4 .* column "question"/);
  });
});
