import { unzipSync } from 'fflate';
import { expect, test } from 'vitest';
import { zipFiles } from '../../../src/checkpoint/zip.ts';
import { fileBlob } from './fixture-files.ts';

const MODIFIED = new Date(2025, 0, 2, 3, 4, 6);

test('a run comes out of the archive as it went in', async () => {
  const model = fileBlob('public/demo/model/model.safetensors');
  const log = 'loss '.repeat(10_000);
  const noise = Uint8Array.from({ length: 9 * 2 ** 20 }, (_, i) => (i * 2654435761) >>> 24);
  const zip = await zipFiles([
    { path: 'training_log.json', data: log },
    { path: 'best/model.safetensors', data: model },
    { path: 'final/noise.safetensors', data: noise },
    { path: 'empty.json', data: '' },
  ], MODIFIED);
  expect(zip.type).toBe('application/zip');
  const files = unzipSync(new Uint8Array(await zip.arrayBuffer()));
  expect(Object.keys(files)).toEqual(['training_log.json', 'best/model.safetensors', 'final/noise.safetensors', 'empty.json']);
  expect(new TextDecoder().decode(files['training_log.json'])).toBe(log);
  expect(Buffer.compare(files['best/model.safetensors'], new Uint8Array(await model.arrayBuffer()))).toBe(0);
  expect(Buffer.compare(files['final/noise.safetensors'], noise)).toBe(0);
  expect(files['empty.json'].length).toBe(0);
  // Weights are stored, text is packed.
  expect(zip.size).toBeGreaterThan(model.size + noise.length);
  expect(zip.size).toBeLessThan(model.size + noise.length + 2000);
});

test('the same files give the same archive', async () => {
  const make = async () => new Uint8Array(await (await zipFiles([{ path: 'a/b.json', data: '{}' }], MODIFIED)).arrayBuffer());
  expect(await make()).toEqual(await make());
});

test('no files give an empty archive', async () => {
  expect(unzipSync(new Uint8Array(await (await zipFiles([])).arrayBuffer()))).toEqual({});
});

test.each(['../x', '/x', 'a//b', 'a\\b', 'a/../b', ''])('path %j is our own fault', async (path) => {
  await expect(zipFiles([{ path, data: '' }])).rejects.toThrow(/Invariant violation/);
});

test('the same path twice is our own fault', async () => {
  await expect(zipFiles([{ path: 'a', data: '' }, { path: 'a', data: '' }])).rejects.toThrow(/same path/);
});

test('more than a ZIP can hold is told before it is begun', async () => {
  const huge = new Blob([]);
  Object.defineProperty(huge, 'size', { value: 2 ** 32 });
  await expect(zipFiles([{ path: 'a.safetensors', data: huge }])).rejects.toMatchObject({ code: 'file-too-large' });
  const many = Array.from({ length: 65_535 }, (_, i) => ({ path: String(i), data: '' }));
  await expect(zipFiles(many)).rejects.toMatchObject({ code: 'file-too-large', message: 'There are 65535 files; a ZIP holds at most 65534.' });
});
