/** Fingerprints of large files, remembered: hashing gigabytes takes longer than loading them. */
import { commit, read, type RecordKey } from './database.ts';
import { fingerprintFile } from './file-worker.ts';
import { fingerprintBlob, fingerprintLines } from './fingerprint.ts';

/** Smaller files are hashed anew each time. */
const LARGE_BYTES = 64 * 2 ** 20;
/** The beginning of a weight file names its tensors and their places. */
const HEAD_BYTES = 256 * 2 ** 10;

/** A file that was chosen does not change: what changes on disk can no longer be read through it. */
const known = new WeakMap<Blob, Promise<string>>();

/** Where the prints of large files are remembered. */
const keys = new WeakMap<File, Promise<RecordKey>>();

const isLarge = (file: Blob): file is File => file instanceof File && file.size >= LARGE_BYTES;

/**
 * As fingerprintBlob. A large file with the path, size, time of change and beginning of one that was hashed before is taken to be
 * the same file.
 */
export function printOf(path: string, file: Blob): Promise<string> {
  const print = known.get(file) ?? (isLarge(file) ? remembered(path, file) : fingerprintBlob(file));
  known.set(file, print);
  print.catch(() => known.delete(file));
  return print;
}

/** What printOf gives, where no large file has to be read for it; null otherwise. */
export async function recalledPrint(path: string, file: Blob): Promise<string | null> {
  return isLarge(file) ? recall(await keyOf(path, file)) : printOf(path, file);
}

/** By this a large file is taken to be one that was hashed before. */
export async function provisionalPrint(path: string, file: Blob): Promise<string> {
  return isLarge(file) ? (await keyOf(path, file)).join() : printOf(path, file);
}

async function remembered(path: string, file: File): Promise<string> {
  const key = await keyOf(path, file);
  const kept = await recall(key);
  if (kept !== null) return kept;
  const print = await fingerprintFile(file);
  await commit({ put: [[key, print]] }).catch(() => undefined);
  return print;
}

/** Its beginning is read once. */
function keyOf(path: string, file: File): Promise<RecordKey> {
  const key = keys.get(file) ?? makeKey(path, file);
  keys.set(file, key);
  key.catch(() => keys.delete(file));
  return key;
}

async function makeKey(path: string, file: File): Promise<RecordKey> {
  const head = await fingerprintBlob(file.slice(0, HEAD_BYTES));
  return ['file-print', await fingerprintLines([`path ${path}`, `size ${file.size}`, `changed ${file.lastModified}`, `head ${head}`])];
}

/** Where nothing can be stored, nothing is remembered. */
async function recall(key: RecordKey): Promise<string | null> {
  const kept = await read<string>(key).catch(() => undefined);
  return typeof kept === 'string' ? kept : null;
}
