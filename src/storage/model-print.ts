/** Fingerprints of large files, remembered: hashing gigabytes at every start would take longer than loading them. */
import { commit, read, type RecordKey } from './database.ts';
import { fingerprintBlob, fingerprintLines } from './fingerprint.ts';

/** Smaller files are hashed anew each time. */
const LARGE_BYTES = 64 * 2 ** 20;
/** The beginning of a weight file names its tensors and their places. */
const HEAD_BYTES = 256 * 2 ** 10;

/** A file that was chosen does not change: what changes on disk can no longer be read through it. */
const known = new WeakMap<Blob, Promise<string>>();

/**
 * As fingerprintBlob. A large file with the path, size, time of change and beginning of one that was hashed before is taken to be
 * the same file.
 */
export function printOf(path: string, file: Blob): Promise<string> {
  const print = known.get(file) ?? (file instanceof File && file.size >= LARGE_BYTES ? remembered(path, file) : fingerprintBlob(file));
  known.set(file, print);
  print.catch(() => known.delete(file));
  return print;
}

async function remembered(path: string, file: File): Promise<string> {
  const head = await fingerprintBlob(file.slice(0, HEAD_BYTES));
  const key: RecordKey = ['file-print', await fingerprintLines([`path ${path}`, `size ${file.size}`, `changed ${file.lastModified}`, `head ${head}`])];
  // Where nothing can be stored, nothing is remembered.
  const kept = await read<string>(key).catch(() => undefined);
  if (typeof kept === 'string') return kept;
  const print = await fingerprintBlob(file);
  await commit({ put: [[key, print]] }).catch(() => undefined);
  return print;
}
