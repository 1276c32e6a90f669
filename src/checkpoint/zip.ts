/** Packs a run's directory into one ZIP without holding it twice in memory. */
import { Zip, ZipDeflate, ZipPassThrough } from 'fflate';
import { invariant, LorikeetError } from '../protocol/errors.ts';

export interface ZipEntry {
  /** Path inside the archive, forward slashes, e.g. "best/adapter_config.json". */
  path: string;
  data: string | Uint8Array<ArrayBuffer> | Blob;
}

/** Without ZIP64, which fflate does not write. */
const MAX_ZIP_BYTES = 2 ** 32 - 2 ** 20;
const MAX_ZIP_ENTRIES = 65_534;
const CHUNK_BYTES = 8 * 2 ** 20;
/** Weights and images hardly shrink: storing them is faster and lets them be streamed. */
const STORED = /\.(?:safetensors|png|jpe?g|webp|zip|bin)$/i;

/**
 * Zips files in the order given.
 * @param modified time stamp of all entries
 * @throws LorikeetError "file-too-large" beyond 4 GB or 65,534 files
 */
export async function zipFiles(entries: readonly ZipEntry[], modified = new Date()): Promise<Blob> {
  const blobs = entries.map(({ path, data }) => {
    const isSafe = path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !path.includes('\\');
    invariant(isSafe, `${path} is no relative path`);
    return data instanceof Blob ? data : new Blob([data]);
  });
  invariant(new Set(entries.map(({ path }) => path)).size === entries.length, 'two entries have the same path');
  if (entries.length > MAX_ZIP_ENTRIES) {
    throw new LorikeetError('file-too-large', `There are ${entries.length} files; a ZIP holds at most ${MAX_ZIP_ENTRIES}.`, 'Download the checkpoints one by one.');
  }
  const total = blobs.reduce((sum, blob) => sum + blob.size, 0);
  if (total > MAX_ZIP_BYTES) {
    throw new LorikeetError('file-too-large', `The files have ${total} bytes together; a ZIP holds at most ${MAX_ZIP_BYTES}.`, 'Download the checkpoints one by one.');
  }
  const parts: Blob[] = [];
  let failure: Error | null = null;
  const zip = new Zip((error, chunk) => {
    if (error) failure = error;
    // A Blob may leave memory for the browser's own storage; an array of chunks may not.
    else parts.push(new Blob([chunk as Uint8Array<ArrayBuffer>]));
  });
  for (const [i, { path }] of entries.entries()) {
    const stream = STORED.test(path) ? new ZipPassThrough(path) : new ZipDeflate(path, { level: 6 });
    stream.mtime = modified;
    zip.add(stream);
    const size = blobs[i].size;
    let at = 0;
    do {
      const end = Math.min(size, at + CHUNK_BYTES);
      stream.push(new Uint8Array(await blobs[i].slice(at, end).arrayBuffer()), end === size);
      at = end;
    } while (at < size);
    if (failure) throw failure;
  }
  zip.end();
  if (failure) throw failure;
  return new Blob(parts, { type: 'application/zip' });
}
