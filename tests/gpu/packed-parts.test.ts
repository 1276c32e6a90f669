/** Packed weights through their worker, in the storage of a real browser. */
import { afterEach, expect, it } from 'vitest';
import { ModelFiles } from '../../src/checkpoint/model-files.ts';
import { packWeight, type PackedWeight } from '../../src/quantization/packed-weight.ts';
import { demoModel } from '../../src/session/demo.ts';
import { openWeightCache } from '../../src/storage/packed/open-cache.ts';
import { listPacked, packedFolder } from '../../src/storage/packed/record.ts';
import { fingerprintFile, FileWorker } from '../../src/storage/file-worker.ts';
import { fingerprintBlob } from '../../src/storage/fingerprint.ts';
import { noise } from './open.ts';

const FORM = { load_in_4bit: true, load_in_8bit: false, quantize_vision: true };
const parts: [string, PackedWeight][] = [
  ['a', packWeight('nf4', noise(64 * 192, 3), 64, 192)],
  ['b', packWeight('bf16', noise(2 ** 20, 5), 1024, 1024)],
  ['c', packWeight('f32', noise(8, 2), 2, 4)],
];

async function load(fingerprint: string, known = true) {
  const files = await ModelFiles.open(demoModel(new URL('/demo/', location.href).href));
  const opened = await openWeightCache({ name: 'tiny', print: { provisional: `${fingerprint} ${known}`, known: known ? fingerprint : null, whole: async () => fingerprint }, files, form: FORM, bytes: 1e7, leastBytes: 0 });
  const taken: (PackedWeight | null)[] = [];
  for (const [name, packed] of parts) {
    const kept = (await opened.cache?.take(name)) ?? null;
    taken.push(kept);
    if (!kept) await opened.cache?.keep(name, { ...packed, words: packed.words.slice() } as PackedWeight);
  }
  return { taken, kept: await (await opened.finish()).settled };
}

afterEach(async () => {
  for (const { key } of await listPacked()) await (await packedFolder()).removeEntry(key, { recursive: true });
});

it('packed weights are written and read by their worker as they were, and what the disk spoilt is noticed', async () => {
  expect(await load('one')).toEqual({ taken: [null, null, null], kept: 'written' });
  expect(await load('one')).toEqual({ taken: parts.map(([, packed]) => packed), kept: 'read' });
  const [{ key }] = await listPacked();
  const piece = await (await (await packedFolder()).getDirectoryHandle(key)).getFileHandle('piece-0000');
  const writable = await piece.createWritable({ keepExistingData: true });
  await writable.write({ type: 'write', position: 5, data: new Uint8Array([255, 0, 255]) });
  await writable.close();
  const spoilt = await load('one');
  expect(spoilt.kept).toBe('damaged');
  expect(spoilt.taken).toEqual([null, parts[1][1], parts[2][1]]);
  expect(await listPacked()).toEqual([]);
});

it('packed weights that turn out to be kept already are removed again', async () => {
  expect((await load('one')).kept).toBe('written');
  expect(await load('one', false)).toEqual({ taken: [null, null, null], kept: 'written' });
  expect(await listPacked()).toHaveLength(1);
  expect((await listPacked())[0].busy).toBe(false);
});

it('files are read and hashed by their worker as in this thread', async () => {
  const bytes = Uint8Array.from({ length: 3 * 2 ** 20 }, (_, i) => i * 7);
  const file = new Blob([bytes]);
  expect(await fingerprintFile(file)).toBe(await fingerprintBlob(file));
  const worker = new FileWorker();
  const [whole, part] = await Promise.all([worker.read(file), worker.read(file.slice(100, 300_000))]);
  expect(new Uint8Array(whole)).toEqual(bytes);
  expect(new Uint8Array(part)).toEqual(bytes.slice(100, 300_000));
  worker.rest();
  expect((await worker.read(file.slice(0, 2 ** 20))).byteLength).toBe(2 ** 20);
  worker.rest();
});
