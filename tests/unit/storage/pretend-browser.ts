/** A pretended browser for one test file, and a disk that is full. */
import { vi } from 'vitest';
import { pretendNavigator, type PretendBrowser } from './pretend-disk.ts';

export { pretendDirectory, pretendFile, PretendLocks } from './pretend-disk.ts';
export type { PretendBrowser, PretendDirectory, PretendFile } from './pretend-disk.ts';

/** Installs `navigator.locks` and `navigator.storage`. */
export function pretendBrowser(onWrite?: (bytes: number) => void): PretendBrowser {
  const { navigator, browser } = pretendNavigator(onWrite);
  vi.stubGlobal('navigator', navigator);
  return browser;
}

const plainPut = IDBObjectStore.prototype.put;

/** Makes every IndexedDB write that `when` picks fail as on a full disk. Returns a function that makes room again. */
export function fillDisk(when: (key: IDBValidKey) => boolean): () => void {
  const spy = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value: unknown, key?: IDBValidKey) {
    if (key !== undefined && when(key)) throw new DOMException('The disk is full.', 'QuotaExceededError');
    return plainPut.call(this, value, key);
  });
  return () => spy.mockRestore();
}
