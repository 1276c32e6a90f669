import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { ModelFiles } from '../../../src/checkpoint/model-files.ts';
import type { PackedWeight } from '../../../src/quantization/packed-weight.ts';
import { packWeight } from '../../../src/quantization/packed-weight.ts';
import { openWeightCache, type CachedModel } from '../../../src/storage/packed/open-cache.ts';
import { deletePacked, listPacked, packedKey, readPacked, type PackedForm } from '../../../src/storage/packed/record.ts';
import type { ModelPrint } from '../../../src/storage/sources.ts';
import { packedSource } from '../../../src/storage/packed/source.ts';
import { PackedWriter } from '../../../src/storage/packed/writer.ts';
import { pretendBrowser, type PretendBrowser, type PretendDirectory, type PretendFile } from './pretend-browser.ts';

const folder = new URL('../../../public/demo/model/', import.meta.url);
const NAMES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.json', 'preprocessor_config.json'];
const FORM: PackedForm = { load_in_4bit: true, load_in_8bit: false, quantize_vision: true };

const known = (print: string): ModelPrint => ({ provisional: print, known: print, whole: async () => print });

let browser: PretendBrowser;
let model: CachedModel;

beforeEach(async () => {
  browser = pretendBrowser();
  const files = await ModelFiles.open(NAMES.map((path) => ({ path, file: new Blob([readFileSync(new URL(path, folder))]) })));
  model = { name: 'tiny', print: known('whole-abc'), files, form: FORM, bytes: 1e6, leastBytes: 0 };
});

const values = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * seed + 1));
const parts: [string, PackedWeight][] = [
  ['a', packWeight('nf4', values(256, 3), 4, 64)],
  ['b', packWeight('int8', values(66, 5), 6, 11)],
  ['c', packWeight('bf16', values(9, 7), 3, 3)],
  ['d[0:2]', packWeight('f32', values(8, 2), 2, 4)],
];

/** Loads the parts as the trainer does. @returns what was taken and what came of it */
async function load(from: CachedModel = model) {
  const opened = await openWeightCache(from);
  const taken: (PackedWeight | null)[] = [];
  for (const [name, packed] of parts) {
    const kept = (await opened.cache?.take(name)) ?? null;
    taken.push(kept);
    if (!kept) await opened.cache?.keep(name, { ...packed, words: packed.words.slice() } as PackedWeight);
  }
  const { now, settled } = await opened.finish();
  return { taken, now, kept: await settled };
}

const weightsFolder = () => browser.root.entries.get('weights') as PretendDirectory;
const keyed = async () => weightsFolder().entries.get(await packedKey(model.print.known!, FORM)) as PretendDirectory;

describe('packed weights', () => {
  it('come back as they were, with another form or model kept apart', async () => {
    expect(await load()).toMatchObject({ kept: 'written', taken: [null, null, null, null] });
    const again = await load();
    expect(again.kept).toBe('read');
    expect(again.taken).toEqual(parts.map(([, packed]) => packed));
    expect((await load({ ...model, form: { ...FORM, quantize_vision: false } })).kept).toBe('written');
    expect((await load({ ...model, print: known('whole-def') })).kept).toBe('written');
    expect(await listPacked()).toHaveLength(3);
  });

  it('are cut into pieces, and no part is cut', async () => {
    const writer = await PackedWriter.begin('pieces', 300);
    for (const [name, packed] of parts) await writer.keep(name, packed);
    expect((await writer.close()).map(({ piece, offset }) => [piece, offset])).toEqual([[0, 0], [1, 0], [1, parts[1][1].bytes], [1, parts[1][1].bytes + parts[2][1].bytes]]);
  });

  it('of files that nobody has read as a whole are kept once somebody has, and are then found', async () => {
    let read: (print: string) => void = () => undefined;
    const reading = new Promise<string>((resolve) => (read = resolve));
    const unread = { ...model, print: { provisional: 'a folder', known: null, whole: () => reading } };
    const opened = await openWeightCache(unread);
    for (const part of parts) await opened.cache?.keep(...part);
    const { now, settled } = await opened.finish();
    expect(now).toBe('writing');
    expect((await listPacked())[0]).toMatchObject({ record: null, busy: true });
    read('whole-abc');
    expect(await settled).toBe('written');
    expect((await listPacked())[0]).toMatchObject({ record: { fingerprint: 'whole-abc' }, busy: false });
    expect((await load()).kept).toBe('read');
    // The same content in another folder, which nobody has read either: it is kept already.
    expect(await load({ ...unread, print: { provisional: 'a copy of it', known: null, whole: async () => 'whole-abc' } })).toMatchObject({ now: 'writing', kept: 'written', taken: [null, null, null, null] });
    expect(await listPacked()).toHaveLength(1);
  });

  it('of files that can no longer be read are not kept', async () => {
    const gone = { ...model, print: { provisional: 'a folder', known: null, whole: () => Promise.reject(new DOMException('moved', 'NotFoundError')) } };
    expect(await load(gone)).toMatchObject({ now: 'writing', kept: 'refused' });
    expect(await listPacked()).toEqual([]);
  });

  it('that were not finished are made anew', async () => {
    const opened = await openWeightCache(model);
    await opened.cache?.keep(...parts[0]);
    // The worker dies: its lock is freed, and no record was written.
    browser.locks.dropAll();
    expect(await readPacked(await packedKey(model.print.known!, FORM))).toBeNull();
    expect((await listPacked())[0].record).toBeNull();
    expect((await load()).kept).toBe('written');
    expect((await load()).kept).toBe('read');
  });

  it('whose bytes changed are not believed, and removed', async () => {
    await load();
    const piece = (await keyed()).entries.get('piece-0000') as PretendFile;
    const bytes = new Uint8Array(await piece.content.arrayBuffer());
    bytes[5] ^= 1;
    piece.content = new Blob([bytes]);
    const { taken, kept } = await load();
    expect(taken[0]).toBeNull();
    expect(taken[1]).toEqual(parts[1][1]);
    expect(kept).toBe('damaged');
    expect(await listPacked()).toEqual([]);
  });

  it('of which a piece is shorter are not taken at all', async () => {
    await load();
    const piece = (await keyed()).entries.get('piece-0000') as PretendFile;
    piece.content = piece.content.slice(0, 10);
    expect((await load()).kept).toBe('written');
  });

  it('are not kept where there is no room, before or in the middle of it, and leave nothing behind', async () => {
    browser.quota.quota = 1000;
    expect((await load()).kept).toBe('no-room');
    let written = 0;
    browser = pretendBrowser((bytes) => {
      written += bytes;
      if (written > 500) throw new DOMException('full', 'QuotaExceededError');
    });
    expect((await load()).kept).toBe('no-room');
    expect(await listPacked()).toEqual([]);
  });

  it('are written by one tab, and the other loads without', async () => {
    const first = await openWeightCache(model);
    await first.cache?.keep(...parts[0]);
    expect((await load()).kept).toBe('refused');
    await expect(deletePacked(await packedKey(model.print.known!, FORM))).rejects.toMatchObject({ code: 'model-locked' });
    await first.abandon();
    expect((await load()).kept).toBe('written');
  });

  it('of a small model are not kept', async () => {
    expect((await load({ ...model, leastBytes: undefined })).kept).toBe('small');
  });

  it('open the model without its files, but give no weights that were not packed', async () => {
    await load();
    const files = await ModelFiles.open(await packedSource(await packedKey(model.print.known!, FORM)));
    expect(files.config).toEqual(model.files.config);
    expect(files.architecture.linearModules).toEqual(model.files.architecture.linearModules);
    expect(files.fileBytes).toBe(model.files.fileBytes);
    expect(await files.readText('tokenizer.json')).toBe(await model.files.readText('tokenizer.json'));
    await expect(files.readLinear(files.architecture.linearModules[0])).rejects.toMatchObject({ code: 'file-missing', message: expect.stringContaining('Only packed weights') });
  });
});
