/** Stand-ins for the parts of a browser's storage that Node lacks; they need no test runner. */
import 'fake-indexeddb/auto';

interface LockOptions {
  ifAvailable?: boolean;
  signal?: AbortSignal;
}

/** Web Locks of one browser; `dropAll` is what happens when the workers die. */
export class PretendLocks {
  private readonly held = new Map<string, () => void>();
  private readonly freed = new Map<string, Promise<unknown>>();

  async request(name: string, { ifAvailable, signal }: LockOptions, use: (lock: { name: string } | null) => unknown): Promise<unknown> {
    const aborted = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    aborted.catch(() => undefined);
    while (this.held.has(name)) {
      if (ifAvailable) return use(null);
      await Promise.race([this.freed.get(name), aborted]);
    }
    const dropped = new Promise<void>((resolve) => this.held.set(name, resolve));
    const used = Promise.race([Promise.resolve(use({ name })), dropped]).finally(() => this.held.delete(name));
    this.freed.set(name, used.catch(() => undefined));
    return used;
  }

  async query() {
    return { held: [...this.held.keys()].map((name) => ({ name })) };
  }

  dropAll(): void {
    for (const drop of this.held.values()) drop();
    this.held.clear();
  }
}

export interface PretendDirectory {
  kind: 'directory';
  name: string;
  entries: Map<string, PretendDirectory | PretendFile>;
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<PretendDirectory>;
  getFileHandle(name: string, options?: { create?: boolean }): Promise<PretendFile>;
  removeEntry(name: string): Promise<void>;
  values(): AsyncIterable<PretendDirectory | PretendFile>;
}

export interface PretendFile {
  kind: 'file';
  name: string;
  content: Blob;
  getFile(): Promise<Blob>;
  createWritable(): Promise<WritableStream<Uint8Array>>;
  createSyncAccessHandle(options?: { mode?: string }): Promise<PretendAccess>;
}

/** A file that is open in place; others may only join where all do no more than read. */
export interface PretendAccess {
  read(target: Uint8Array, options: { at: number }): number;
  write(source: Uint8Array, options: { at: number }): number;
  close(): void;
}

export function pretendDirectory(name: string, onWrite: (bytes: number) => void = () => undefined): PretendDirectory {
  const entries = new Map<string, PretendDirectory | PretendFile>();
  const get = async <T extends PretendDirectory | PretendFile>(key: string, create: boolean | undefined, make: () => T): Promise<T> => {
    if (!entries.has(key)) {
      if (!create) throw new DOMException(`no ${key}`, 'NotFoundError');
      entries.set(key, make());
    }
    return entries.get(key) as T;
  };
  return {
    kind: 'directory',
    name,
    entries,
    getDirectoryHandle: (key, options) => get(key, options?.create, () => pretendDirectory(key, onWrite)),
    getFileHandle: (key, options) => get(key, options?.create, () => pretendFile(key, onWrite)),
    removeEntry: async (key) => void entries.delete(key),
    async *values() {
      yield* [...entries.values()];
    },
  };
}

export function pretendFile(name: string, onWrite: (bytes: number) => void = () => undefined, content: Blob = new Blob([])): PretendFile {
  let opened = 0;
  let reading = false;
  const file: PretendFile = {
    kind: 'file',
    name,
    content,
    getFile: async () => file.content,
    createWritable: async () => {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      return new WritableStream<Uint8Array>({
        write: (chunk) => {
          onWrite(chunk.byteLength);
          parts.push(chunk.slice());
        },
        close: () => void (file.content = new Blob(parts)),
      });
    },
    createSyncAccessHandle: async ({ mode = 'readwrite' } = {}) => {
      if (opened > 0 && !(reading && mode === 'read-only')) throw new DOMException(`${name} is open`, 'NoModificationAllowedError');
      reading = mode === 'read-only';
      opened += 1;
      let bytes = new Uint8Array(await file.content.arrayBuffer());
      return {
        read: (target, { at }) => {
          const part = bytes.subarray(at, at + target.length);
          target.set(part);
          return part.length;
        },
        write: (source, { at }) => {
          onWrite(source.byteLength);
          const grown = new Uint8Array(Math.max(bytes.length, at + source.length));
          grown.set(bytes);
          grown.set(source, at);
          bytes = grown;
          file.content = new Blob([bytes]);
          return source.length;
        },
        close: () => void (opened -= 1),
      };
    },
  };
  return file;
}

export interface PretendBrowser {
  locks: PretendLocks;
  root: PretendDirectory;
  quota: { quota: number; usage: number };
}

/** What `navigator` is to be, and what it stands on. */
export function pretendNavigator(onWrite?: (bytes: number) => void): { navigator: object; browser: PretendBrowser } {
  const browser = { locks: new PretendLocks(), root: pretendDirectory('', onWrite), quota: { quota: 1e12, usage: 0 } };
  const storage = { getDirectory: async () => browser.root, estimate: async () => browser.quota };
  return { navigator: { userAgent: 'pretend', locks: browser.locks, storage }, browser };
}

/** Installs them for the whole process. */
export function pretendDisk(): PretendBrowser {
  const { navigator, browser } = pretendNavigator();
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: navigator });
  return browser;
}
