import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { readZip, ZIP_LIMITS } from '../../../src/data/zip.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const archive = (data: Uint8Array) => ({ path: 'd.zip', file: new Blob([data as Uint8Array<ArrayBuffer>]) });
const long = bytes('lorikeet '.repeat(500));

describe('readZip', () => {
  it('lists records and images, packed or stored, and leaves the rest', async () => {
    const zip = zipSync({ 'a/train.json': long, 'a/图.png': [bytes('raw'), { level: 0 }], 'a/notes.pdf': bytes('x'), '__MACOSX/a/._1.png': bytes('x'), '.DS_Store': bytes('x'), 'b/': new Uint8Array(0), 'inner.zip': bytes('x') });
    const { files, ignored } = await readZip(archive(zip));
    expect(files.map((file) => file.path)).toEqual(['d.zip/a/train.json', 'd.zip/a/图.png']);
    expect(await files[0].file.text()).toBe(new TextDecoder().decode(long));
    expect(await files[1].file.text()).toBe('raw');
    expect(ignored).toEqual(['a/notes.pdf', 'inner.zip']);
  });

  it('tells an archive that says it is empty, and is not, from an empty one', async () => {
    expect((await readZip(archive(zipSync({})))).files).toEqual([]);
    const zip = zipSync({ 'train.json': long });
    zip.fill(0, zip.length - 14, zip.length - 6);
    await expect(readZip(archive(zip))).rejects.toMatchObject({ code: 'dataset', message: 'd.zip: its table of contents is empty, though it holds data.' });
  });

  it.each(['.', '/'])('notices a name that a spoilt "%s" would have passed over without a word', async (letter) => {
    const zip = zipSync({ 'd/train.json': long, '.DS_Store': bytes('x') });
    expect((await readZip(archive(zip))).files).toHaveLength(1);
    const name = Buffer.from(zip).lastIndexOf('d/train.json');
    zip[name + (letter === '.' ? 2 : 11)] = letter.charCodeAt(0);
    await expect(readZip(archive(zip))).rejects.toMatchObject({ code: 'dataset', message: expect.stringContaining('is not that of the entry itself') });
  });

  it('notices an entry without a name that lies nowhere', async () => {
    const zip = zipSync({ 'a.json': long, 'b/': new Uint8Array(0) });
    expect((await readZip(archive(zip))).files).toHaveLength(1);
    const header = Buffer.from(zip).lastIndexOf('b/') - 46;
    zip.fill(0, header + 42, header + 44).fill(7, header + 42, header + 43);
    await expect(readZip(archive(zip))).rejects.toMatchObject({ code: 'dataset', message: 'd.zip: its table of contents is damaged.' });
  });

  it('reads an archive with a comment at its end, and names in GB 18030', async () => {
    const zip = zipSync({ 'xx.png': [bytes('raw'), { level: 0 }] });
    const named = zip.slice();
    // 中 in GB 18030 is D6 D0; the name stands in both headers.
    for (const at of [30, zip.lastIndexOf(0x78) - 1]) named.set([0xd6, 0xd0], at);
    const { files } = await readZip(archive(named));
    expect(files[0].path).toBe('d.zip/中.png');
    const commented = new Uint8Array([...zip, ...bytes('hi')]);
    commented[zip.length - 2] = 2;
    expect((await readZip(archive(commented))).files).toHaveLength(1);
  });

  const sound = zipSync({ 'a.json': long });
  const table = sound.findIndex((_, i) => sound[i] === 0x50 && sound[i + 1] === 0x4b && sound[i + 2] === 1 && sound[i + 3] === 2);
  const patched = (at: number, ...values: number[]) => {
    const copy = sound.slice();
    copy.set(values, at);
    return copy;
  };

  it.each<[string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(0), /no ZIP file, or its end is missing/],
    ['cut off', sound.slice(0, sound.length - 10), /no ZIP file, or its end is missing/],
    ['no archive', bytes('PK hello'), /no ZIP file/],
    ['climbing path', zipSync({ '../../etc/a.png': bytes('x') }), /points outside the archive/],
    ['climbing with backslashes', zipSync({ '..\\a.png': bytes('x') }), /points outside the archive/],
    ['absolute path', zipSync({ '/etc/a.png': bytes('x') }), /points outside the archive/],
    ['drive letter', zipSync({ 'C:\\a.png': bytes('x') }), /points outside the archive/],
    ['encrypted', patched(table + 8, 1), /is encrypted/],
    ['other method', patched(table + 10, 14), /packing method 14/],
    ['announces less', patched(table + 24, 100, 0), /another size than announced \(100 bytes\)/],
    ['announces more', patched(table + 24, 0, 0x13), /another size than announced/],
    ['claims too much', patched(table + 24, 0, 0, 0, 0x10), /claims to unpack to 200 times/],
    ['damaged table', patched(table, 0), /table of contents is damaged/],
    ['table outside the file', patched(sound.length - 6, 0xff, 0xff, 0xff, 0x7f), /table of contents is damaged/],
    ['ZIP64', patched(sound.length - 12, 0xff, 0xff), /ZIP64/],
    ['damaged entry', patched(0, 0), /a\.json is damaged/],
    ['damaged data', patched(40, 0xff, 0xff, 0xff, 0xff, 0xff), /a\.json is damaged|another size/],
    ['data outside the file', patched(table + 20, 0xff, 0xff), /is cut off/],
  ])('refuses: %s', async (_what, data, message) => {
    await expect(readZip(archive(data))).rejects.toMatchObject({ code: 'dataset', message: expect.stringMatching(message), place: { file: 'd.zip' } });
  });

  it('keeps to its limits', async () => {
    const many = archive(zipSync({ 'a.json': bytes('1'), 'b.json': bytes('2') }));
    await expect(readZip(many, { ...ZIP_LIMITS, entries: 1 })).rejects.toThrow(/lists 2 files, at most 1/);
    await expect(readZip(many, { ...ZIP_LIMITS, totalBytes: 1 })).rejects.toThrow(/MiB together/);
    await expect(readZip(many, { ...ZIP_LIMITS, inflatedBytes: 1 })).rejects.toThrow(/MiB together/);
    const stored = archive(zipSync({ 'a.json': bytes('1'), 'b.json': bytes('2') }, { level: 0 }));
    expect((await readZip(stored, { ...ZIP_LIMITS, inflatedBytes: 1 })).files).toHaveLength(2);
    const bomb = archive(zipSync({ 'a.json': new Uint8Array(30 * 2 ** 20) }));
    await expect(readZip(bomb)).rejects.toThrow(/claims to unpack/);
  });
});
