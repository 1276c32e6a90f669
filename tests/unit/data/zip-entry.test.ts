/** Thousands of entries are found without reading the header of each, however the archive was written. */
import { strToU8, Zip, ZipPassThrough, zipSync, type Zippable } from 'fflate';
import { expect, it } from 'vitest';
import { readZip, ZIP_LIMITS } from '../../../src/data/zip.ts';
import { bytesOf } from '../../../src/processing/archived-file.ts';
import { crc32 } from '../../../src/processing/crc32.ts';

const COUNT = 500;
const names = Array.from({ length: COUNT }, (_, i) => `images/${i}.png`);
const content = (i: number) => strToU8(`picture ${i} `.repeat(1 + (i % 7)));

/** Counts the pieces that are read of it. */
class Counted extends Blob {
  reads = 0;
  override slice(start?: number, end?: number): Blob {
    this.reads++;
    return super.slice(start, end);
  }
}

async function open(zip: Uint8Array) {
  const file = new Counted([zip as Uint8Array<ArrayBuffer>]);
  const { files } = await readZip({ path: 'a.zip', file }, ZIP_LIMITS, undefined, () => true);
  // One slice of each entry is its file, which is not read yet.
  return { files, looks: file.reads - COUNT };
}

async function expectWhole(zip: Uint8Array): Promise<number> {
  const { files, looks } = await open(zip);
  expect(files.map(({ path }) => path)).toEqual(names.map((name) => `a.zip/${name}`));
  for (const [i, { file, path }] of files.entries()) expect(await bytesOf(file, path)).toEqual(content(i));
  return looks;
}

const zipped = (level: 0 | 6, extraBytes: (i: number) => number): Uint8Array =>
  zipSync(Object.fromEntries(names.map((name, i): [string, Zippable[string]] => [name, [content(i), { level, ...(extraBytes(i) && { extra: { 0x9999: new Uint8Array(extraBytes(i)) } }) }]])));

it.each([0, 6] as const)('packed at level %i', async (level) => {
  expect(await expectWhole(zipped(level, () => 0))).toBeLessThan(80);
});

it('headers with parts of different lengths', async () => {
  expect(await expectWhole(zipped(0, (i) => [0, 4, 12][i % 3]))).toBeLessThan(80);
});

it('sizes that follow the bytes, as programs write that do not know them before', async () => {
  const parts: Uint8Array[] = [];
  const zip = new Zip((error, part) => {
    if (error) throw error;
    parts.push(part);
  });
  names.forEach((name, i) => {
    const entry = new ZipPassThrough(name);
    zip.add(entry);
    entry.push(content(i), true);
  });
  zip.end();
  expect(await expectWhole(new Uint8Array(Buffer.concat(parts)))).toBeLessThan(80);
});

/** Stored entries with `before[i]` bytes more in their header and `after[i]` of nothing behind them. */
function padded(before: (i: number) => number, after: (i: number) => number): Uint8Array {
  const parts: Buffer[] = [];
  const table: Buffer[] = [];
  let at = 0;
  names.forEach((name, i) => {
    const data = content(i);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt32LE(crc32(data), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(data.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const own = Buffer.from(fields);
    own.writeUInt16LE(before(i), 24);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    table.push(Buffer.from([0x50, 0x4b, 1, 2, 20, 0]), fields, rest, Buffer.from(name));
    const entry = Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), own, Buffer.from(name), Buffer.alloc(before(i)), data, Buffer.alloc(after(i))]);
    parts.push(entry);
    at += entry.length;
  });
  const directory = Buffer.concat(table);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(COUNT, 8);
  end.writeUInt16LE(COUNT, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, directory, end]));
}

it('bytes of nothing between entries', async () => {
  expect(await expectWhole(padded(() => 0, () => 6))).toBeLessThan(80);
});

it('where entries of one kind turn out unlike, each is looked at', async () => {
  expect(await expectWhole(padded((i) => (i % 2 ? 8 : 0), (i) => (i % 2 ? 0 : 8)))).toBeGreaterThan(COUNT);
});

it('an entry unlike all that were looked at is told when it is read, never read wrongly', async () => {
  const { files } = await open(padded((i) => (i === 400 ? 0 : 8), (i) => (i === 400 ? 8 : 0)));
  await expect(bytesOf(files[400].file, files[400].path)).rejects.toMatchObject({ code: 'image', message: 'a.zip/images/400.png is damaged: its checksum differs from the archive’s.' });
  expect(await bytesOf(files[401].file, files[401].path)).toEqual(content(401));
});
