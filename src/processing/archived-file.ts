/**
 * Files that lie in an archive and are read from there: slices of it, packed or not, whose sizes and checksums the
 * archive's table gives. They are unpacked and compared when somebody reads them, not when the archive is opened.
 */
import { LorikeetError } from '../protocol/errors.ts';
import { crc32 } from './crc32.ts';
import { inflateEntry, inflateStart, type InflatedEntry } from './inflate-entry.ts';

export interface ArchivedEntry {
  crc: number;
  /** Bytes once unpacked. */
  size: number;
  packed: boolean;
}

const SLACK = 1024;
const entries = new WeakMap<Blob, ArchivedEntry>();

/** Notes what an archive says of one of its files. The note is not copied with the Blob: what leaves this thread is made plain first. */
export function noteEntry(file: Blob, entry: ArchivedEntry): void {
  entries.set(file, entry);
}

/** Bytes of a file as whoever reads it gets them. */
export function sizeOf(file: Blob): number {
  return entries.get(file)?.size ?? file.size;
}

/**
 * A file's first bytes, `most` of them where it has so many; of a packed file they may be fewer.
 * @throws LorikeetError "image" naming the file, where it is damaged; whatever reading the Blob throws
 */
export async function startOf(file: Blob, most: number, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const entry = entries.get(file);
  if (!entry?.packed) return new Uint8Array(await file.slice(0, most).arrayBuffer());
  // Packing makes nothing longer than by a few bytes.
  const packed = file.slice(0, most + SLACK);
  if (packed.size === file.size) return (await bytesOf(file, path)).subarray(0, most);
  return sound(inflateStart(new Uint8Array(await packed.arrayBuffer()), most), path);
}

/**
 * All bytes of a file, compared with its archive's checksum where it comes from one.
 * @throws LorikeetError "image" naming the file, where it is damaged; whatever reading the Blob throws
 */
export async function bytesOf(file: Blob, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const entry = entries.get(file);
  if (!entry) return bytes;
  if (entry.packed) return sound(inflateEntry(bytes, entry.size, entry.crc), path);
  if (crc32(bytes) !== entry.crc) throw damaged(path, 'its checksum differs from the archive’s');
  return bytes;
}

/**
 * The file as a Blob that anybody can read: itself, or what it unpacks to.
 * @throws LorikeetError as `bytesOf`
 */
export async function plainFile(file: Blob, path: string): Promise<Blob> {
  return entries.get(file)?.packed ? new Blob([await bytesOf(file, path)]) : file;
}

function sound({ bytes, fault }: InflatedEntry, path: string): Uint8Array<ArrayBuffer> {
  if (fault !== null) throw damaged(path, fault);
  return bytes;
}

function damaged(path: string, what: string): LorikeetError {
  return new LorikeetError('image', `${path} is damaged: ${what}.`, 'Make the ZIP file again, or unpack it and drop the folder.', { file: path });
}
