import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { download, type DownloadProgress, type PieceStore } from '../../../src/hub/download.ts';
import { listModel, searchModels, type HubListing } from '../../../src/hub/listing.ts';
import { cutIntoPieces, type Piece } from '../../../src/hub/pieces.ts';
import type { HubPlace } from '../../../src/hub/place.ts';
import { GOOD_TOKEN, HubServer } from '../../hub/hub-server.ts';
import { COMMIT, hostedDemo } from '../../hub/sharded.ts';

let http: Server;
let hub: HubServer;
let place: HubPlace;

beforeAll(async () => {
  const model = await hostedDemo();
  hub = new HubServer('/hub', [model, { ...model, id: 'lorikeet/gated', gated: true }, { ...model, id: 'lorikeet/gguf', files: new Map([['model.gguf', Buffer.alloc(3)]]) }]);
  http = createServer((request, response) => void (hub.handle(request, response) || response.writeHead(500).end()));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
});

beforeEach(() => {
  place = { base: `http://127.0.0.1:${(http.address() as AddressInfo).port}/hub`, id: 'lorikeet/tiny-sharded', revision: 'main', token: null };
  hub.trouble = null;
  hub.requests.length = 0;
});

afterAll(() => void http.close());

/** Keeps pieces in memory; a "crash" forgets nothing that write() has returned for. */
class MemoryStore implements PieceStore {
  readonly data: Uint8Array<ArrayBuffer>[];
  readonly kept = new Set<number>();
  private readonly whole = new Set<number>();

  constructor(private readonly listing: HubListing, private readonly pieces: readonly Piece[]) {
    this.data = listing.files.map(({ size }) => new Uint8Array(size));
  }
  has = ({ index }: Piece) => this.kept.has(index);
  isChecked = (file: number) => this.whole.has(file);
  async write({ index, file, offset }: Piece, bytes: Uint8Array<ArrayBuffer>) {
    this.data[file].set(bytes, offset);
    this.kept.add(index);
  }
  async check(file: number) {
    const { kind, hex } = this.listing.files[file].checksum;
    const hash = kind === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${this.data[file].length}\0`);
    if (hash.update(this.data[file]).digest('hex') !== hex) return false;
    this.whole.add(file);
    return true;
  }
  async dropDamaged(file: number) {
    for (const piece of this.pieces) if (piece.file === file) this.kept.delete(piece.index);
    return true;
  }
}

async function begin(pieceBytes = 300_000) {
  const listing = await listModel(place);
  const pieces = cutIntoPieces(listing.files, pieceBytes);
  const store = new MemoryStore(listing, pieces);
  const seen: DownloadProgress[] = [];
  const run = (signal = new AbortController().signal, waits: readonly number[] = [0, 0, 0]) =>
    download({ place, commit: listing.commit, files: listing.files, pieces, store, signal, waits, onProgress: (progress) => seen.push(progress) });
  return { listing, pieces, store, run, seen };
}

/** Ranges that were asked for and that carry content. */
const ranges = () => hub.requests.filter((line) => line.includes('bytes=') && !line.includes('/resolve/'));

describe('a listing', () => {
  it('names commit, files, sizes and checksums, small files first, and leaves out what training does not read', async () => {
    const { commit, files, bytes, gated } = await listModel(place);
    expect(commit).toBe(COMMIT);
    expect(gated).toBe(false);
    expect(files.map(({ path }) => path)).not.toContain('README.md');
    expect(files.slice(-3).every(({ path, checksum }) => path.endsWith('.safetensors') && checksum.kind === 'sha256')).toBe(true);
    expect(files[0].checksum.kind).toBe('git');
    expect(bytes).toBe(files.reduce((sum, { size }) => sum + size, 0));
  });

  it.each([
    ['an unknown model', { id: 'lorikeet/nothing' }, 'hub-access', /misspelt/],
    ['an unknown revision', { revision: 'v9' }, 'hub-missing', /revision/],
    ['a model in GGUF', { id: 'lorikeet/gguf' }, 'unsupported-model', /GGUF/],
  ] as const)('refuses %s', async (_, change, code, advice) => {
    await expect(listModel({ ...place, ...change })).rejects.toMatchObject({ code, advice: expect.stringMatching(advice) });
  });

  it('tells a web page and a full house from a list', async () => {
    hub.trouble = { kind: 'page', times: 1 };
    await expect(listModel(place)).rejects.toMatchObject({ code: 'hub-answer', message: expect.stringContaining('a web page') });
    hub.trouble = { kind: 'status', status: 429, headers: { 'retry-after': '90' }, times: 1 };
    await expect(listModel(place)).rejects.toMatchObject({ code: 'hub-busy', waitSeconds: 90 });
    await expect(listModel({ ...place, base: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'hub-offline' });
  });

  it('finds models by words', async () => {
    expect((await searchModels(place.base, 'TINY', null)).map(({ id }) => id)).toEqual(['lorikeet/tiny-sharded']);
  });
});

describe('a download', () => {
  it('brings every byte once, in ranges', async () => {
    const { store, pieces, run, seen, listing } = await begin();
    await run();
    expect(store.kept.size).toBe(pieces.length);
    expect(listing.files.every((_, file) => store.isChecked(file))).toBe(true);
    expect(seen.at(-1)).toEqual({ done: listing.bytes, total: listing.bytes, checking: null });
    expect(new Set(ranges()).size).toBe(ranges().length);
  });

  it('goes on where connections broke, without asking again for what is here', async () => {
    const { run, listing, seen } = await begin();
    hub.trouble = { kind: 'cut', after: 1000, times: 5 };
    await run();
    expect(seen.at(-1)?.done).toBe(listing.bytes);
  });

  it('resumes after the patience is at an end with only what is missing', async () => {
    const { store, pieces, run } = await begin(100_000);
    hub.trouble = { kind: 'cut', after: 50_000, times: 1000 };
    await expect(run(undefined, [])).rejects.toMatchObject({ code: 'hub-offline' });
    const missing = pieces.filter((piece) => !store.has(piece)).length;
    expect(missing).toBeGreaterThan(0);
    hub.trouble = null;
    hub.requests.length = 0;
    await run();
    expect(hub.requests.filter((line) => line.includes('/resolve/'))).toHaveLength(missing);
  });

  it('is paused at once and leaves nothing running', async () => {
    const { run, store } = await begin(50_000);
    const pausing = new AbortController();
    const running = run(pausing.signal);
    await expect.poll(() => store.kept.size).toBeGreaterThan(2);
    pausing.abort(new DOMException('Paused.', 'AbortError'));
    await expect(running).rejects.toThrow('Paused.');
    const { size } = store.kept;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(store.kept.size).toBe(size);
  });

  it('refuses a file whose checksum is another, forgets it, and brings it when it is right again', async () => {
    const { store, pieces, run, listing } = await begin();
    hub.trouble = { kind: 'spoil', path: /00002-of/, times: 1 };
    const error = await run().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'hub-changed', place: { file: 'model-00002-of-00003.safetensors' } });
    const spoilt = listing.files.findIndex(({ path }) => path.includes('00002-of'));
    expect(pieces.some((piece) => piece.file === spoilt && store.has(piece))).toBe(false);
    await run();
    expect(store.isChecked(spoilt)).toBe(true);
  });

  it.each([
    ['a page in the place of a file', { kind: 'page', times: 99 }, 'hub-answer'],
    ['404', { kind: 'status', status: 404, times: 99 }, 'hub-missing'],
    ['a file that became shorter', { kind: 'status', status: 416, times: 99 }, 'hub-changed'],
    ['500 that does not end', { kind: 'status', status: 500, times: 99 }, 'hub-busy'],
    ['429 that asks for more than a minute', { kind: 'status', status: 429, headers: { 'retry-after': '600' }, times: 99 }, 'hub-busy'],
  ] as const)('ends with a reason on %s', async (_, trouble, code) => {
    const { run } = await begin();
    hub.trouble = { ...trouble };
    await expect(run(undefined, [0])).rejects.toMatchObject({ code });
  });

  it('takes a 429 that passes for what it is', async () => {
    const { run, seen, listing } = await begin();
    hub.trouble = { kind: 'status', status: 429, headers: { 'retry-after': '0' }, times: 3 };
    await run();
    expect(seen.at(-1)?.done).toBe(listing.bytes);
  });

  it('of a gated model needs a token that may read it', async () => {
    place.id = 'lorikeet/gated';
    await expect((await begin()).run()).rejects.toMatchObject({ code: 'hub-access', advice: expect.stringContaining('token') });
    place.token = 'hf_other';
    await expect((await begin()).run()).rejects.toMatchObject({ code: 'hub-access', advice: expect.stringContaining('terms') });
    place.token = GOOD_TOKEN;
    await (await begin()).run();
  });
});
