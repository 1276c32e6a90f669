/** Writes the files of a model to a folder on disk, or into one ZIP in this site's own storage, without holding them in memory. */
import { makeZip } from 'client-zip';
import type { OutputFile } from '../checkpoint/merged-model.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { isQuotaError } from './database.ts';

/** Lies in the folder until everything is written: a folder that has it is not whole. */
export const UNFINISHED_MARKER = 'NOT-FINISHED.txt';
const MARKER_TEXT = 'Lorikeet is still writing this model, or was interrupted while it did. As long as this file is here, the model is not whole: delete the folder and export it again.\n';
const EXPORTS = 'exports';

export interface Writing {
  signal: AbortSignal;
  onProgress: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Writes a new folder inside `parent`; where its name is taken, a number is added.
 * Cancelling or failing removes it; if even that fails, the marker stays in it.
 * @returns the folder's name
 * @throws LorikeetError "storage-full", "storage-failed"; the signal's reason when cancelled
 */
export async function writeFolder(parent: FileSystemDirectoryHandle, name: string, files: readonly OutputFile[], writing: Writing): Promise<string> {
  const free = await freeName(parent, name);
  try {
    const folder = await parent.getDirectoryHandle(free, { create: true });
    await writeFile(folder, UNFINISHED_MARKER, streamOf(once(new TextEncoder().encode(MARKER_TEXT))), writing.signal);
    const count = counter(files, writing);
    for (const { path, content } of files) await writeFile(folder, path, streamOf(count(content())), writing.signal);
    await folder.removeEntry(UNFINISHED_MARKER);
    return free;
  } catch (error) {
    await parent.removeEntry(free, { recursive: true }).catch(() => undefined);
    throw writing.signal.aborted ? writing.signal.reason : writeError(error, free);
  }
}

/**
 * Writes one ZIP, ZIP64 where it must be, into the site's own storage; earlier ones are removed.
 * @throws as writeFolder
 */
export async function writeZip(name: string, files: readonly OutputFile[], writing: Writing): Promise<Blob> {
  const root = await navigator.storage.getDirectory();
  await clearExports();
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  if (total > quota - usage) {
    throw new LorikeetError('storage-full', `${name}.zip needs ${total} bytes, this site may store ${Math.max(0, quota - usage)} more.`, 'Free disk space and try again.', {});
  }
  const folder = await root.getDirectoryHandle(EXPORTS, { create: true });
  try {
    const count = counter(files, writing);
    const entries = files.map(({ path, bytes, content }) => ({ name: `${name}/${path}`, size: bytes, input: streamOf(count(content())) }));
    const file = `${name}.zip`;
    await writeFile(folder, file, makeZip(entries) as ReadableStream<Uint8Array<ArrayBuffer>>, writing.signal);
    return await (await folder.getFileHandle(file)).getFile();
  } catch (error) {
    await clearExports();
    throw writing.signal.aborted ? writing.signal.reason : writeError(error, `${name}.zip`);
  }
}

/** Removes ZIPs that were downloaded or left behind. */
export async function clearExports(): Promise<void> {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(EXPORTS, { recursive: true }).catch(() => undefined);
}

async function writeFile(folder: FileSystemDirectoryHandle, path: string, content: ReadableStream<Uint8Array<ArrayBuffer>>, signal: AbortSignal): Promise<void> {
  const handle = await folder.getFileHandle(path, { create: true });
  await content.pipeTo(await handle.createWritable(), { signal });
}

/** Pulls one chunk at a time, so that the disk sets the pace. */
function streamOf(chunks: AsyncIterable<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 1 },
  );
}

async function* once(chunk: Uint8Array<ArrayBuffer>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield chunk;
}

/** Counts what passes by, over all files. */
function counter(files: readonly OutputFile[], { onProgress }: Writing): (chunks: AsyncIterable<Uint8Array<ArrayBuffer>>) => AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  return async function* (chunks) {
    for await (const chunk of chunks) {
      yield chunk;
      done += chunk.length;
      onProgress(done, total);
    }
  };
}

async function freeName(parent: FileSystemDirectoryHandle, name: string): Promise<string> {
  for (let i = 1; ; i++) {
    const candidate = i === 1 ? name : `${name}-${i}`;
    const taken = await Promise.allSettled([parent.getDirectoryHandle(candidate), parent.getFileHandle(candidate)]);
    // A file of that name fails with TypeMismatchError where a folder is asked for, and the other way round.
    if (taken.every((result) => result.status === 'rejected' && (result.reason as DOMException).name === 'NotFoundError')) return candidate;
  }
}

function writeError(error: unknown, name: string): LorikeetError {
  if (error instanceof LorikeetError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (isQuotaError(error)) return new LorikeetError('storage-full', `There is no room for ${name}: ${reason}`, 'Free disk space, or choose a folder on another drive.', { file: name }, { cause: error });
  return new LorikeetError('storage-failed', `${name} cannot be written: ${reason}`, 'Choose another folder, and check that it may be written to.', { file: name }, { cause: error });
}
