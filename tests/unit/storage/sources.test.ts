import { zipSync } from 'fflate';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ModelSource, PathFile } from '../../../src/protocol/messages.ts';
import { fingerprintBlob, fingerprintLines } from '../../../src/storage/fingerprint.ts';
import { walkFolder } from '../../../src/storage/walk-folder.ts';
import { fingerprintDataset, fingerprintModel, isDataset, isModel, keepDataset, recogniseModel, referToModel, reopenDataset, reopenModel, sweepDatasets } from '../../../src/storage/sources.ts';
import { pretendBrowser, pretendDirectory, pretendFile } from './pretend-browser.ts';
import type { PretendBrowser, PretendDirectory } from './pretend-browser.ts';

let browser: PretendBrowser;
let written = 0;
beforeEach(() => {
  written = 0;
  browser = pretendBrowser((bytes) => (written += bytes));
});

const refer = async (chosen: ModelSource) => referToModel(chosen, await recogniseModel(chosen));
const file = (path: string, content: string): PathFile => ({ path, file: new Blob([content]) });
const source = () => ({ kind: 'files' as const, train: [file('train.json', '[1]'), file('images/a.png', 'aaa')], validation: [file('val.json', '[2]')] });
const texts = (files: readonly PathFile[]) => Promise.all(files.map(async (entry) => [entry.path, await entry.file.text()]));
const copies = async () => (await browser.root.getDirectoryHandle('datasets', { create: true })).entries as Map<string, PretendDirectory>;

describe('datasets', () => {
  it('are copied once and come back with paths and contents', async () => {
    const reference = await keepDataset(source());
    expect(reference).toMatchObject({ kind: 'files', kept: true, train: [{ path: 'train.json', size: 3 }, { path: 'images/a.png', size: 3 }] });
    expect(written).toBe(9);
    expect(await keepDataset(source())).toEqual(reference);
    expect(written).toBe(9);
    const reopened = await reopenDataset(reference);
    if (reopened.kind !== 'files') throw new Error('expected files');
    expect(await texts(reopened.train)).toEqual([['train.json', '[1]'], ['images/a.png', 'aaa']]);
    expect(await texts(reopened.validation)).toEqual([['val.json', '[2]']]);
  });

  it('of other content are other copies', async () => {
    const first = await keepDataset(source());
    const changed = source();
    changed.train[1] = file('images/a.png', 'aab');
    const second = await keepDataset(changed);
    expect(second).not.toEqual(first);
    expect((await copies()).size).toBe(2);
    if (first.kind !== 'files') throw new Error('expected files');
    await sweepDatasets(new Set([first.fingerprint]));
    expect([...(await copies()).keys()]).toEqual([first.fingerprint]);
  });

  it('that do not fit are not copied, and nothing is left behind', async () => {
    browser.quota.quota = 100;
    expect(await keepDataset(source())).toMatchObject({ kept: false });
    expect((await copies()).size).toBe(0);
    expect(written).toBe(0);
  });

  it('that fill the disk while being copied leave nothing behind', async () => {
    browser = pretendBrowser((bytes) => {
      written += bytes;
      if (written > 4) throw new DOMException('full', 'QuotaExceededError');
    });
    expect(await keepDataset(source())).toMatchObject({ kept: false });
    expect((await copies()).size).toBe(0);
  });

  it('whose copy is gone or changed are asked for again', async () => {
    const reference = await keepDataset(source());
    if (reference.kind !== 'files') throw new Error('expected files');
    const folder = (await copies()).get(reference.fingerprint)!;
    folder.entries.set('1', pretendFile('1', undefined, new Blob(['aaX'])));
    await expect(reopenDataset(reference)).rejects.toMatchObject({ code: 'resume', place: { field: 'dataset' } });
    folder.entries.delete('1');
    await expect(reopenDataset(reference)).rejects.toMatchObject({ code: 'resume', place: { field: 'dataset' } });
  });
});

describe('models', () => {
  const folder = (config = '{}') => {
    const directory = pretendDirectory('Qwen3-VL-2B');
    directory.entries.set('config.json', pretendFile('config.json', undefined, new Blob([config])));
    const inner = pretendDirectory('sub');
    inner.entries.set('model.safetensors', pretendFile('model.safetensors', undefined, new Blob(['weights'])));
    directory.entries.set('sub', inner);
    return directory as unknown as FileSystemDirectoryHandle;
  };

  it('are known by their last byte too, and by what older versions noted of them', async () => {
    const big = 'x'.repeat(100_000);
    const files = [file('model.safetensors', big)];
    const other = [file('model.safetensors', `${big.slice(1)}y`)];
    const now = await fingerprintModel(files);
    expect(await isModel(files, now)).toBe(true);
    expect(await isModel(other, now)).toBe(false);
    const old = await fingerprintLines([`model.safetensors\t100000\t${await fingerprintBlob(files[0].file.slice(0, 64 * 1024))}`]);
    expect([await isModel(files, old), await isModel(other, old)]).toEqual([true, true]);
  });

  it('may lie deep, but not without end', async () => {
    const nest = (depth: number): FileSystemDirectoryHandle => {
      const directory = pretendDirectory('d');
      directory.entries.set('config.json', pretendFile('config.json', undefined, new Blob(['{}'])));
      if (depth > 0) directory.entries.set('d', nest(depth - 1) as never);
      return directory as unknown as FileSystemDirectoryHandle;
    };
    expect(await walkFolder(nest(20))).toHaveLength(21);
    await expect(walkFolder(nest(40))).rejects.toMatchObject({ code: 'file-too-large' });
  });

  it('are known by names, sizes and contents, in any order', async () => {
    const files = [file('config.json', '{}'), file('model.safetensors', 'x'.repeat(100_000))];
    const same = await fingerprintModel([...files].reverse());
    expect(same).toBe(await fingerprintModel(files));
    expect(await fingerprintModel([file('config.json', '{ '), files[1]])).not.toBe(same);
    expect(await fingerprintModel([files[0], file('model.safetensors', 'x'.repeat(100_001))])).not.toBe(same);
    expect(await fingerprintModel([files[0], file('other.safetensors', 'x'.repeat(100_000))])).not.toBe(same);
  });

  it('are opened again through the folder that the user picked', async () => {
    const handle = folder();
    const reference = await refer({ kind: 'files', name: 'Qwen3-VL-2B', files: await walkFolder(handle), handle });
    const reopened = await reopenModel(reference);
    if (reopened.kind !== 'files') throw new Error('expected files');
    expect(await texts(reopened.files)).toEqual([['config.json', '{}'], ['sub/model.safetensors', 'weights']]);
    if (reference.kind !== 'files') throw new Error('expected files');
    await expect(reopenModel({ ...reference, handle: folder('{ }') })).rejects.toMatchObject({ code: 'resume', place: { field: 'model' } });
    const locked = Object.assign(folder(), { queryPermission: async () => 'prompt' });
    await expect(reopenModel({ ...reference, handle: locked })).rejects.toMatchObject({ code: 'resume', place: { field: 'model', file: 'Qwen3-VL-2B' } });
    await expect(reopenModel({ ...reference, handle: null })).rejects.toMatchObject({ code: 'resume' });
  });
});

describe('an archive of data', () => {
  const zipped = (text: string, picture: number[]) => ({ train: [{ path: 'set.zip', file: new Blob([zipSync({ 'a.json': new TextEncoder().encode(text), 'a.png': new Uint8Array(picture) }, { level: 0, mtime: new Date('2026-01-01') }) as Uint8Array<ArrayBuffer>]) }], validation: [] });

  it('is told from others by its checksums, without being read whole', async () => {
    const source = zipped('[1]', [1, 2, 3]);
    const print = await fingerprintDataset(source);
    expect(await isDataset(zipped('[1]', [1, 2, 3]), print)).toBe(true);
    expect(await isDataset(zipped('[2]', [1, 2, 3]), print)).toBe(false);
    expect(await isDataset(zipped('[1]', [1, 2, 4]), print)).toBe(false);
    const large = { path: 'set.zip', file: source.train[0].file };
    const whole = vi.spyOn(large.file, 'arrayBuffer');
    await fingerprintDataset({ train: [large], validation: [] });
    expect(whole).not.toHaveBeenCalled();
  });

  it('is still known by the fingerprint that earlier versions took of all its bytes', async () => {
    const source = zipped('[1]', [1, 2, 3]);
    const { path, file } = source.train[0];
    const old = await fingerprintLines([`train\t${path}\t${file.size}\t${await fingerprintBlob(file)}`]);
    expect(await isDataset(source, old)).toBe(true);
    expect(await isDataset(zipped('[2]', [1, 2, 3]), old)).toBe(false);
  });

  it('is read whole where it only calls itself one', async () => {
    const fake = (text: string) => ({ train: [{ path: 'set.zip', file: new Blob([text]) }], validation: [] });
    expect(await isDataset(fake('abc'), await fingerprintDataset(fake('abd')))).toBe(false);
  });
});
