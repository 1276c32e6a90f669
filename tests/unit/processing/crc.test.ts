import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { crc32, crc32OfBlob } from '../../../src/processing/crc32.ts';
import { readZip } from '../../../src/data/zip.ts';

const text = (value: string) => new TextEncoder().encode(value);

describe('crc32', () => {
  it('is that of the standard, whole or in pieces', async () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926);
    expect(crc32(text('6789'), crc32(text('12345')))).toBe(0xcbf43926);
    expect(await crc32OfBlob(new Blob(['123456789']))).toBe(0xcbf43926);
  });
});

describe('an archive that was changed', () => {
  const archive = (level: 0 | 6) => zipSync({ 'train.json': [text('[{"answer": "the lamp is lit"}]'.repeat(20)), { level }], 'b.json': [text('[]'), { level: 0 }] });
  const open = (bytes: Uint8Array) => readZip({ path: 'a.zip', file: new Blob([bytes as Uint8Array<ArrayBuffer>]) });

  it('is read while it is whole', async () => expect((await open(archive(6))).files).toHaveLength(2));

  it.each([0, 6] as const)('is refused for one bit of its contents, packed at level %i', async (level) => {
    const bytes = archive(level);
    // Behind the local header and the name, in the data.
    const at = 30 + 'train.json'.length + 12;
    bytes[at] ^= 1;
    await expect(open(bytes)).rejects.toMatchObject({ code: 'dataset', message: expect.stringContaining('train.json') });
  });

  it('is refused when its end says fewer files than its table lists', async () => {
    const bytes = archive(0);
    const view = new DataView(bytes.buffer);
    const end = bytes.length - 22;
    view.setUint16(end + 8, 1, true);
    view.setUint16(end + 10, 1, true);
    await expect(open(bytes)).rejects.toMatchObject({ message: expect.stringContaining('lists more files') });
  });
});
