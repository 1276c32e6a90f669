import { beforeEach, expect, test } from 'vitest';
import { readZip, ZIP_LIMITS } from '../../../src/data/zip.ts';
import type { OutputFile } from '../../../src/checkpoint/merged-model.ts';
import { UNFINISHED_MARKER, writeFolder, writeZip } from '../../../src/storage/write-model.ts';
import { pretendBrowser, pretendDirectory, type PretendDirectory } from './pretend-browser.ts';

let browser: ReturnType<typeof pretendBrowser>;
beforeEach(() => {
  browser = pretendBrowser();
});

function file(path: string, bytes: number, chunk = 1000): OutputFile {
  return {
    path,
    bytes,
    async *content() {
      for (let at = 0; at < bytes; at += chunk) yield new Uint8Array(Math.min(chunk, bytes - at)).fill(path.length);
    },
  };
}

const FILES = [file('config.json', 120), file('model-00001-of-00002.safetensors', 5500), file('model-00002-of-00002.safetensors', 0)];
const handleOf = (directory: PretendDirectory) => directory as unknown as FileSystemDirectoryHandle;
const quiet = () => ({ signal: new AbortController().signal, onProgress: () => undefined });
const folderIn = (directory: PretendDirectory, name: string) => directory.entries.get(name) as PretendDirectory;

test('a folder holds every file, and no marker, once it is written', async () => {
  const parent = pretendDirectory('parent');
  const seen: number[] = [];
  const name = await writeFolder(handleOf(parent), 'run-merged', FILES, { signal: new AbortController().signal, onProgress: (done, total) => seen.push(done / total) });
  expect(name).toBe('run-merged');
  const folder = folderIn(parent, name);
  expect([...folder.entries.keys()].sort()).toEqual(FILES.map(({ path }) => path).sort());
  const content = await (await folder.getFileHandle(FILES[1].path)).getFile();
  expect(new Uint8Array(await content.arrayBuffer())).toEqual(new Uint8Array(5500).fill(FILES[1].path.length));
  expect(seen.at(-1)).toBe(1);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test('a name that is taken gets a number', async () => {
  const parent = pretendDirectory('parent');
  const names: string[] = [];
  for (let i = 0; i < 3; i++) names.push(await writeFolder(handleOf(parent), 'x', FILES, quiet()));
  expect(names).toEqual(['x', 'x-2', 'x-3']);
});

test('cancelling takes the folder away; what cannot be taken away keeps its marker', async () => {
  for (const stubborn of [false, true]) {
    const parent = pretendDirectory('parent');
    if (stubborn) parent.removeEntry = () => Promise.reject(new DOMException('in use', 'NoModificationAllowedError'));
    const cancelling = new AbortController();
    const writing = writeFolder(handleOf(parent), 'x', FILES, {
      signal: cancelling.signal,
      onProgress: (done) => {
        if (done > 2000) cancelling.abort(new DOMException('Cancelled.', 'AbortError'));
      },
    });
    await expect(writing).rejects.toMatchObject({ name: 'AbortError' });
    if (stubborn) expect([...folderIn(parent, 'x').entries.keys()]).toContain(UNFINISHED_MARKER);
    else expect(parent.entries.size).toBe(0);
  }
});

test('a fault while the content is made ends the folder, and is the one that is told', async () => {
  const parent = pretendDirectory('parent');
  const bad: OutputFile = {
    path: 'bad.safetensors',
    bytes: 10,
    async *content() {
      yield new Uint8Array(5);
      throw new RangeError('made up');
    },
  };
  await expect(writeFolder(handleOf(parent), 'x', [...FILES, bad], quiet())).rejects.toMatchObject({ code: 'storage-failed', message: expect.stringContaining('made up') as string });
  expect(parent.entries.size).toBe(0);
});

test('a full disk is told as such', async () => {
  const parent = pretendDirectory('parent', (bytes) => {
    if (bytes === 1000) throw new DOMException('full', 'QuotaExceededError');
  });
  await expect(writeFolder(handleOf(parent), 'x', FILES, quiet())).rejects.toMatchObject({ code: 'storage-full' });
});

test('a ZIP unpacks to the same files, and replaces the one before', async () => {
  await writeZip('earlier', FILES, quiet());
  const zip = await writeZip('run', FILES, quiet());
  const { files } = await readZip({ path: 'run.zip', file: zip }, ZIP_LIMITS, () => true);
  expect(files.map(({ path }) => path).sort()).toEqual(FILES.map(({ path }) => `run.zip/run/${path}`).sort());
  for (const { path, bytes } of FILES) {
    const found = files.find((other) => other.path.endsWith(path))!.file;
    expect(new Uint8Array(await found.arrayBuffer())).toEqual(new Uint8Array(bytes).fill(path.length));
  }
  expect([...folderIn(browser.root, 'exports').entries.keys()]).toEqual(['run.zip']);
});

test('a ZIP that the site may not store is refused before it is begun', async () => {
  browser.quota.quota = 4000;
  await expect(writeZip('run', FILES, quiet())).rejects.toMatchObject({ code: 'storage-full' });
});
