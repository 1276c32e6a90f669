/**
 * The files of a build, kept for when there is no network. Each is stored under its address and its checksum, so that a new
 * version fetches only what changed and the old one goes on serving its own files until it is replaced.
 */
import type { NotKept } from './messages.ts';

/** Paths relative to the page's folder, with the first 32 hex digits of the file's SHA-256. */
export type BuildFiles = Readonly<Record<string, string>>;

/** The parts of the browser that are used; tests bring their own. */
export interface Surroundings {
  caches: Pick<CacheStorage, 'open'>;
  fetch(request: Request): Promise<Response>;
}

/** A file that could not be kept. */
export class NotKeptError extends Error {
  override readonly name = 'NotKeptError';

  constructor(
    readonly why: NotKept,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const HEX_DIGITS = 32;
const PARALLEL = 6;
const DEMO = /^demo\//;
const PAGE = 'index.html';
/** They speak of the body as it was sent; the one that is kept is unpacked. */
const OF_THE_TRANSFER = ['content-encoding', 'content-length', 'transfer-encoding'];

/** The first 32 hex digits of the SHA-256. */
export async function shortHash(bytes: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('').slice(0, HEX_DIGITS);
}

export class KeptFiles {
  readonly #name: string;

  /**
   * @param folder address of the page's folder, with its last slash; pages in other folders of the same server have files of their own
   */
  constructor(
    private readonly folder: string,
    private readonly files: BuildFiles,
    private readonly around: Surroundings,
  ) {
    this.#name = `lorikeet ${folder}`;
  }

  /** What the page cannot start without. */
  get page(): string[] {
    return Object.keys(this.files).filter((path) => !DEMO.test(path));
  }

  get all(): string[] {
    return Object.keys(this.files);
  }

  /**
   * Fetches those of the files that are not kept yet.
   * @throws NotKeptError at the first that cannot be kept; what was kept until then stays
   */
  async keep(paths: readonly string[]): Promise<void> {
    const cache = await this.#open();
    const queue = [...paths];
    const worker = async () => {
      for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
        if (!(await cache.match(this.#key(path), { ignoreVary: true }))) await this.#fetchAndKeep(cache, path);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker)).catch((error: unknown) => {
      queue.length = 0;
      throw error;
    });
  }

  /** Forgets what is not of this version. */
  async forgetOlder(): Promise<void> {
    const cache = await this.#open();
    const wanted = new Set(this.all.map((path) => this.#key(path)));
    for (const { url } of await cache.keys()) if (!wanted.has(url)) await cache.delete(url, { ignoreVary: true });
  }

  /**
   * The answer to a request, or null when it is none of this page's business.
   * A file of an older version is answered too while it is kept: a tab that was opened with that version may still ask for it.
   */
  answer(request: Request): Promise<Response> | null {
    const path = this.#pathOf(request);
    if (path === null || (request.method !== 'GET' && request.method !== 'HEAD')) return null;
    return this.#answer(path, request);
  }

  async #answer(path: string, request: Request): Promise<Response> {
    const listed = Object.hasOwn(this.files, path);
    const cache = await this.#open().catch(() => null);
    const kept = listed ? await cache?.match(this.#key(path), { ignoreVary: true }) : await cache?.match(this.folder + path, { ignoreVary: true, ignoreSearch: true });
    if (kept) return request.method === 'HEAD' ? new Response(null, { headers: kept.headers }) : kept;
    if (!listed || !cache || request.method === 'HEAD') return this.around.fetch(request);
    try {
      return await this.#fetchAndKeep(cache, path);
    } catch (error) {
      // Keeping is for later; what is asked for now comes as the server has it.
      if (error instanceof NotKeptError && error.why === 'unreachable') throw error;
      return this.around.fetch(request);
    }
  }

  #pathOf({ url, mode }: Request): string | null {
    const address = url.split(/[?#]/, 1)[0];
    if (!address.startsWith(this.folder)) return null;
    const path = decodeURI(address.slice(this.folder.length));
    if (path === '' && mode === 'navigate') return PAGE;
    return path === '' ? null : path;
  }

  /** @throws NotKeptError */
  async #fetchAndKeep(cache: Cache, path: string): Promise<Response> {
    // Some servers send index.html elsewhere, and a page must not come from a redirection.
    const url = this.folder + (path === PAGE ? '' : encodeURI(path));
    let response: Response;
    let bytes: ArrayBuffer;
    try {
      response = await this.around.fetch(new Request(url, { cache: 'no-cache', credentials: 'same-origin' }));
      bytes = await response.arrayBuffer();
    } catch (error) {
      throw new NotKeptError('unreachable', `${url} cannot be fetched.`, { cause: error });
    }
    if (!response.ok || (await shortHash(bytes)) !== this.files[path]) throw new NotKeptError('changed', `${url} is not the file of this build.`);
    const headers = new Headers(response.headers);
    for (const name of OF_THE_TRANSFER) headers.delete(name);
    const kept = new Response(bytes, { headers });
    try {
      await cache.put(this.#key(path), kept.clone());
    } catch (error) {
      throw new NotKeptError('no-room', `There is no room to keep ${url}.`, { cause: error });
    }
    return kept;
  }

  #key(path: string): string {
    return `${this.folder}${encodeURI(path)}?${this.files[path]}`;
  }

  #open(): Promise<Cache> {
    return this.around.caches.open(this.#name);
  }
}
