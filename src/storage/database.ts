/** The one IndexedDB store of runs: typed keys, atomic transactions, and storage faults turned into errors a user can act on. */
import { createStore } from 'idb-keyval';
import type { UseStore } from 'idb-keyval';
import { LorikeetError } from '../protocol/errors.ts';

/** Array keys sort by part, so everything of one kind and run lies in one range. */
export type RecordKey = [kind: string, ...rest: (string | number)[]];

/** Everything a transaction writes and removes; all of it happens or nothing. */
export interface Changes {
  put?: readonly (readonly [RecordKey, unknown])[];
  remove?: readonly (RecordKey | IDBKeyRange)[];
}

const records: UseStore = createStore('lorikeet', 'records');

/** All keys that begin with the given parts. */
export function keysUnder(...prefix: RecordKey): IDBKeyRange {
  return IDBKeyRange.bound(prefix, [...prefix, []]);
}

/**
 * Applies all changes in one transaction.
 * @throws LorikeetError "storage-full" or "storage-failed"; nothing is changed then
 */
export async function commit(changes: Changes): Promise<void> {
  await inStore('readwrite', (store) => {
    const { transaction } = store;
    const done = finished(transaction);
    try {
      for (const key of changes.remove ?? []) store.delete(key);
      for (const [key, value] of changes.put ?? []) store.put(value, key);
    } catch (error) {
      try {
        transaction.abort();
      } catch {
        // The browser has ended it already, and knows why.
      }
      return done.then(() => undefined, () => Promise.reject(transaction.error ?? error));
    }
    return done;
  });
}

/** Reads one record, or undefined. */
export async function read<T>(key: RecordKey): Promise<T | undefined> {
  return inStore('readonly', (store) => answered<T | undefined>(store.get(key)));
}

/** Reads all records of a range, in key order. */
export async function readAll<T>(range: IDBKeyRange): Promise<T[]> {
  return inStore('readonly', (store) => answered<T[]>(store.getAll(range)));
}

/** Reads the keys of a range, in order. */
export async function readKeys(range: IDBKeyRange): Promise<RecordKey[]> {
  return inStore('readonly', (store) => answered(store.getAllKeys(range) as unknown as IDBRequest<RecordKey[]>));
}

/** Reads keys and records of a range as they stand at one moment. */
export async function readEntries<T>(range: IDBKeyRange): Promise<[RecordKey, T][]> {
  return inStore('readonly', async (store) => {
    const keys = answered(store.getAllKeys(range) as unknown as IDBRequest<RecordKey[]>);
    const values = answered<T[]>(store.getAll(range));
    return Promise.all([keys, values]).then(([k, v]) => k.map((key, i) => [key, v[i]]));
  });
}

/** Goes through the records of a range, in key order, with one of them in memory at a time. */
export async function* walk<T>(range: IDBKeyRange): AsyncGenerator<[RecordKey, T]> {
  for (const key of await readKeys(range)) {
    const value = await read<T>(key);
    if (value !== undefined) yield [key, value];
  }
}

async function inStore<T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  try {
    return await records(mode, use);
  } catch (error) {
    throw storageError(error);
  }
}

function answered<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('The transaction was aborted.'));
  });
}

/** Says whether the browser ran out of room (by name: the class differs between engines). */
export function isQuotaError(error: unknown): boolean {
  return error instanceof Error && /quota/i.test(error.name);
}

/** Turns what IndexedDB and OPFS throw into typed errors; LorikeetErrors pass. */
export function storageError(error: unknown): LorikeetError {
  if (error instanceof LorikeetError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  if (isQuotaError(error)) {
    return new LorikeetError(
      'storage-full',
      `The browser has no room left for this site's data: ${detail}`,
      'Free disk space, or download and delete older runs; then continue. What is already stored is intact.',
      {},
      { cause: error },
    );
  }
  return new LorikeetError(
    'storage-failed',
    `The browser could not read or write its storage: ${detail}`,
    'Close other tabs of this page, allow the site to store data (not in a private window), and try again.',
    {},
    { cause: error },
  );
}
