import { beforeEach, describe, expect, it } from 'vitest';
import { KeptFiles, NotKeptError, shortHash, type BuildFiles } from '../../../src/offline/kept-files.ts';

const FOLDER = 'https://example.org/tools/lorikeet/';
const bytes = (text: string) => new TextEncoder().encode(text);

/** A cache as browsers have it, of the few calls that are used; `room` bodies fit. */
class PretendCache {
  readonly entries = new Map<string, Response>();
  room = Infinity;

  async match(request: string, { ignoreSearch = false } = {}): Promise<Response | undefined> {
    const same = (url: string) => (ignoreSearch ? url.split('?')[0] === request : url === request);
    for (const [url, response] of this.entries) if (same(url)) return response.clone();
    return undefined;
  }

  async put(request: string, response: Response): Promise<void> {
    if (this.entries.size >= this.room) throw new DOMException('full', 'QuotaExceededError');
    this.entries.set(request, response);
  }

  async keys(): Promise<{ url: string }[]> {
    return [...this.entries.keys()].map((url) => ({ url }));
  }

  async delete(url: string): Promise<boolean> {
    return this.entries.delete(url);
  }
}

let cache: PretendCache;
/** What the server has, by address; and what it was asked for. */
let served: Map<string, string>;
let asked: string[];

beforeEach(() => {
  cache = new PretendCache();
  served = new Map();
  asked = [];
});

const fetchServed = async ({ url }: Request) => {
  const path = decodeURI(url.slice(FOLDER.length));
  asked.push(path);
  const text = served.get(path);
  if (text === undefined) throw new TypeError('no network');
  return new Response(text, { headers: { 'content-type': 'text/plain', 'content-encoding': 'br', 'content-length': '1' } });
};

/** A version of the page with these files, which the server has too. */
async function version(texts: Record<string, string>): Promise<KeptFiles> {
  const files: Record<string, string> = {};
  for (const [path, text] of Object.entries(texts)) {
    files[path] = await shortHash(bytes(text));
    served.set(path === 'index.html' ? '' : path, text);
  }
  return new KeptFiles(FOLDER, files satisfies BuildFiles, { caches: { open: async () => cache as unknown as Cache }, fetch: fetchServed });
}

const get = (path: string, init: RequestInit = {}) => new Request(FOLDER + path, init);
const visit = { url: FOLDER, mode: 'navigate', method: 'GET' } as Request;
const textOf = async (answer: Promise<Response> | null) => (await answer)?.text();

const ONE = { 'index.html': 'page 1', 'assets/a-1.js': 'a 1', 'demo/a b.json': '{}' };

describe('the files of a build', () => {
  it('are answered without network once they are kept', async () => {
    const kept = await version(ONE);
    expect(kept.page).toEqual(['index.html', 'assets/a-1.js']);
    await kept.keep(kept.all);
    served.clear();
    expect(await textOf(kept.answer(visit))).toBe('page 1');
    expect(await textOf(kept.answer(get('assets/a-1.js')))).toBe('a 1');
    expect(await textOf(kept.answer(get('demo/a%20b.json?x=1')))).toBe('{}');
    const head = await kept.answer(get('demo/a%20b.json', { method: 'HEAD' }));
    expect(head?.ok).toBe(true);
    expect(Object.fromEntries(head?.headers ?? [])).toEqual({ 'content-type': 'text/plain' });
  });

  it('are fetched once, only where they changed, and the older version goes on with its own', async () => {
    const older = await version(ONE);
    await older.keep(older.all);
    asked = [];
    const newer = await version({ 'index.html': 'page 2', 'assets/a-2.js': 'a 2', 'demo/a b.json': '{}' });
    await newer.keep(newer.all);
    expect(asked).toEqual(['', 'assets/a-2.js']);
    served.clear();
    expect(await textOf(older.answer(visit))).toBe('page 1');
    expect(await textOf(newer.answer(visit))).toBe('page 2');
    // A tab of the older version, after the newer one has taken over.
    expect(await textOf(newer.answer(get('assets/a-1.js')))).toBe('a 1');
    await newer.forgetOlder();
    expect(cache.entries.size).toBe(3);
    await expect(newer.answer(get('assets/a-1.js'))).rejects.toThrow('no network');
  });

  it('that were not kept at once are kept when they are used', async () => {
    const kept = await version(ONE);
    await kept.keep(kept.page);
    expect(await textOf(kept.answer(get('demo/a%20b.json')))).toBe('{}');
    served.clear();
    expect(await textOf(kept.answer(get('demo/a%20b.json')))).toBe('{}');
  });

  it('are not kept when the server has others, and are then answered as it has them', async () => {
    const kept = await version(ONE);
    served.set('assets/a-1.js', 'something else');
    await expect(kept.keep(kept.page)).rejects.toMatchObject({ why: 'changed' });
    expect(await textOf(kept.answer(get('assets/a-1.js')))).toBe('something else');
  });

  it('work from the server where there is no room', async () => {
    const kept = await version(ONE);
    cache.room = 1;
    await expect(kept.keep(kept.all)).rejects.toMatchObject({ why: 'no-room' });
    cache.room = 0;
    expect(await textOf(kept.answer(get('demo/a%20b.json')))).toBe('{}');
  });

  it('say that the server is out of reach', async () => {
    const kept = await version(ONE);
    served.clear();
    await expect(kept.keep(kept.page)).rejects.toBeInstanceOf(NotKeptError);
    await expect(kept.answer(get('assets/a-1.js'))).rejects.toMatchObject({ why: 'unreachable' });
  });

  it('leave alone what is not theirs', async () => {
    const kept = await version(ONE);
    for (const request of [new Request('https://example.org/tools/other/x.js'), new Request('https://huggingface.co/x'), get('assets/a-1.js', { method: 'POST' })]) expect(kept.answer(request)).toBeNull();
  });
});
