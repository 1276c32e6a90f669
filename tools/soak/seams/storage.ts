/** IndexedDB and the site's own files: each write may find no room or be aborted, each read may fail. */
import type { Fault } from '../faults.ts';
import { setClock } from './clock.ts';
import { moment } from './moments.ts';

const kindOf = (key: unknown): string => (Array.isArray(key) ? String(key[0]) : key instanceof IDBKeyRange ? `${kindOf(key.lower)} …` : '');
const full = () => new DOMException('The disk is full (injected).', 'QuotaExceededError');

/** Transactions still to be aborted; more than a run tries again. */
let breaks = 0;
const BREAKS = 5;
const spoilt = new WeakSet<IDBTransaction>();

/** As browsers do it: the request is taken, and its transaction aborted. */
function spoil(transaction: IDBTransaction, faults: readonly Fault[]): void {
  setClock(faults);
  if (spoilt.has(transaction)) return;
  if (faults.includes('storage-breaks')) breaks = BREAKS;
  const broken = breaks > 0;
  if (!broken && !faults.includes('quota') && !faults.includes('abort')) return;
  spoilt.add(transaction);
  if (broken) breaks--;
  if (faults.includes('quota')) Object.defineProperty(transaction, 'error', { value: full() });
  transaction.abort();
}

function refuseRead(faults: readonly Fault[]): void {
  if (faults.includes('unreadable')) throw new DOMException('Internal error (injected).', 'UnknownError');
}

export function installStorage(): void {
  const store = IDBObjectStore.prototype;
  const { put, delete: remove, get, getAll, getAllKeys } = store;
  store.put = function (value, key) {
    const faults = moment('write', `put ${kindOf(key)}`);
    const request = put.call(this, value, key);
    spoil(this.transaction, faults);
    return request;
  };
  store.delete = function (key) {
    const faults = moment('write', `delete ${kindOf(key)}`);
    const request = remove.call(this, key);
    spoil(this.transaction, faults);
    return request;
  };
  store.get = function (key) {
    refuseRead(moment('read', kindOf(key)));
    return get.call(this, key);
  };
  store.getAll = function (...args) {
    refuseRead(moment('read', kindOf(args[0])));
    return getAll.apply(this, args);
  };
  store.getAllKeys = function (...args) {
    refuseRead(moment('read', kindOf(args[0])));
    return getAllKeys.apply(this, args);
  };

  const handle = FileSystemFileHandle.prototype;
  const { createWritable, getFile } = handle;
  handle.createWritable = async function (...args) {
    const faults = moment('write', 'own file');
    setClock(faults);
    if (faults.includes('quota')) throw full();
    if (faults.includes('abort')) throw new DOMException('Aborted (injected).', 'AbortError');
    return createWritable.apply(this, args);
  };
  handle.getFile = async function () {
    refuseRead(moment('read', 'own file'));
    return getFile.call(this);
  };
}
