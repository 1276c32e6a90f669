/**
 * ZIP archives of dataset files, read from their table of contents.
 *
 * Stored entries stay slices of the archive, and so do packed pictures, which are unpacked by whoever reads them; other
 * packed entries are unpacked against limits, so that neither a large archive nor a hostile one fills the memory.
 */
import { LorikeetError } from '../protocol/errors.ts';
import { readChosen } from './chosen-file.ts';
import { noteEntry } from '../processing/archived-file.ts';
import { crc32OfBlob } from '../processing/crc32.ts';
import { inflateEntry } from '../processing/inflate-entry.ts';
import { fileKind, normalizePath } from './paths.ts';
import type { PathFile } from '../protocol/messages.ts';
import { EntryStarts, readHeader, type ZipEntry } from './zip-entry.ts';

export interface ZipLimits {
  /** Entries in the table of contents. */
  entries: number;
  /** Bytes of all unpacked files together. */
  totalBytes: number;
  /** Bytes of those among them that have to be inflated: they lie in memory. */
  inflatedBytes: number;
  /** Unpacked over packed size of one file. */
  ratio: number;
}

export const ZIP_LIMITS: ZipLimits = { entries: 200_000, totalBytes: 4 * 2 ** 30, inflatedBytes: 4 * 2 ** 30, ratio: 200 };

export interface ZipContents {
  /** The wanted files, under "<archive path>/<entry path>". */
  files: PathFile[];
  /** Names of entries of other kinds, which were left alone. */
  ignored: string[];
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
/** Entries that are read at the same time. */
const AT_ONCE = 16;
const STORED = 0;
const DEFLATED = 8;

/** What a dataset consists of. */
export const isSampleFile = (path: string) => ['records', 'annotation', 'image', 'video'].includes(fileKind(path));

/**
 * Lists and unpacks an archive. Archives inside archives are not opened.
 * @param wanted which entries to unpack; records, images and videos when left out
 * @param later entries that need not be unpacked and compared at once: whoever reads them does it (`archived-file`)
 * @throws LorikeetError "dataset" naming the archive and the entry; "file-missing" when the archive is no longer there
 */
export function readZip(archive: PathFile, limits: ZipLimits = ZIP_LIMITS, wanted: (path: string) => boolean = isSampleFile, later: (path: string) => boolean = () => false): Promise<ZipContents> {
  return readChosen(archive.path, () => unpack(archive, limits, wanted, later));
}

async function unpack(archive: PathFile, limits: ZipLimits, wanted: (path: string) => boolean, later: (path: string) => boolean): Promise<ZipContents> {
  const { entries, offset } = await readEntries(archive, limits);
  const starts = new EntryStarts(archive.file, entries, offset);
  const reading: Promise<PathFile>[] = [];
  const ignored: string[] = [];
  let total = 0;
  let inflated = 0;
  for (const entry of entries) {
    const path = safePath(entry.name, archive);
    if (path === '' || entry.name.endsWith('/') || fileKind(path) === 'clutter') {
      await checkName(archive, entry);
      continue;
    }
    if (!wanted(path)) {
      ignored.push(path);
      continue;
    }
    if (entry.encrypted) throw fault(archive, `${path} is encrypted`, 'Make the archive without a password.');
    total += entry.unpacked;
    if (entry.method !== STORED && !later(path)) inflated += entry.unpacked;
    for (const [bytes, limit] of [[total, limits.totalBytes], [inflated, limits.inflatedBytes]]) {
      if (bytes > limit) throw fault(archive, `its files have more than ${Math.round(limit / 2 ** 20)} MiB together`, 'Unpack it and drop the folder instead.');
    }
    const reader = later(path) ? laterEntry(archive, entry, path, limits, starts) : readEntry(archive, entry, path, limits);
    const file = reader.then((file) => ({ path: `${archive.path}/${path}`, file }));
    // What is named first is the first fault in the archive's order.
    file.catch(() => undefined);
    if (reading.push(file) >= AT_ONCE) await reading[reading.length - AT_ONCE];
  }
  const files: PathFile[] = [];
  for (const file of reading) files.push(await file);
  return { files, ignored };
}

function fault(archive: PathFile, what: string, advice = 'Make the ZIP file again, or unpack it and drop the folder.', cause?: unknown): LorikeetError {
  return new LorikeetError('dataset', `${archive.path}: ${what}.`, advice, { file: archive.path }, { cause });
}

async function view(blob: Blob, from: number, to: number): Promise<DataView> {
  return new DataView(await blob.slice(from, to).arrayBuffer());
}

/**
 * An archive from its table of contents to its end: names, sizes and checksums of all its files.
 * @throws LorikeetError "dataset" when it is no ZIP file
 */
export async function tableOfContents(archive: PathFile): Promise<Blob> {
  const { offset } = await findTable(archive, ZIP_LIMITS);
  return archive.file.slice(offset);
}

async function readEntries(archive: PathFile, limits: ZipLimits): Promise<{ entries: ZipEntry[]; offset: number }> {
  const { offset, size, count } = await findTable(archive, limits);
  return { entries: parseEntries(archive, await view(archive.file, offset, offset + size), count), offset };
}

async function findTable(archive: PathFile, limits: ZipLimits): Promise<{ offset: number; size: number; count: number }> {
  const { file } = archive;
  // The end record is 22 bytes and a comment of at most 65535.
  const tailStart = Math.max(0, file.size - 22 - 65535);
  const tail = await view(file, tailStart, file.size);
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END_SIGNATURE) end--;
  if (end < 0) throw fault(archive, 'this is no ZIP file, or its end is missing');
  const count = tail.getUint16(end + 10, true);
  const size = tail.getUint32(end + 12, true);
  const offset = tail.getUint32(end + 16, true);
  if (count === 0xffff || size === 0xffffffff || offset === 0xffffffff) {
    throw fault(archive, 'ZIP64 archives (over 4 GiB or 65,534 files) are not read', 'Unpack it and drop the folder instead.');
  }
  if (count > limits.entries) throw fault(archive, `it lists ${count} files, at most ${limits.entries} are read`, 'Unpack it and drop the folder instead.');
  if (count === 0 && tailStart + end > 0) throw fault(archive, 'its table of contents is empty, though it holds data');
  if (offset + size > tailStart + end) throw fault(archive, 'its table of contents is damaged');
  return { offset, size, count };
}

function parseEntries(archive: PathFile, table: DataView, count: number): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > table.byteLength || table.getUint32(at, true) !== ENTRY_SIGNATURE) throw fault(archive, 'its table of contents is damaged');
    const nameLength = table.getUint16(at + 28, true);
    const next = at + 46 + nameLength + table.getUint16(at + 30, true) + table.getUint16(at + 32, true);
    if (next > table.byteLength) throw fault(archive, 'its table of contents is damaged');
    entries.push({
      name: entryName(new Uint8Array(table.buffer, at + 46, nameLength)),
      encrypted: (table.getUint16(at + 8, true) & 1) === 1,
      method: table.getUint16(at + 10, true),
      crc: table.getUint32(at + 16, true),
      packed: table.getUint32(at + 20, true),
      unpacked: table.getUint32(at + 24, true),
      headerOffset: table.getUint32(at + 42, true),
      nameBytes: nameLength,
    });
    at = next;
  }
  if (at < table.byteLength) throw fault(archive, 'its table of contents lists more files than it says: some would be lost');
  return entries;
}

/** UTF-8 as current tools write it; older Chinese Windows tools write GB 18030 without saying so. */
function entryName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('gb18030').decode(bytes);
  }
}

function safePath(name: string, archive: PathFile): string {
  const parts = name.replaceAll('\\', '/').split('/');
  if (parts.includes('..') || name.startsWith('/') || /^[A-Za-z]:/.test(name) || name.includes('\0')) {
    throw fault(archive, `entry ${JSON.stringify(name.slice(0, 200))} points outside the archive`);
  }
  return normalizePath(name);
}

/** A name that makes its entry be passed over must be its own: no checksum covers names, but they stand in the archive twice. */
async function checkName(archive: PathFile, entry: ZipEntry): Promise<void> {
  const header = await readHeader(archive.file, entry);
  if (!header) throw fault(archive, 'its table of contents is damaged');
  const own = entryName(new Uint8Array(await archive.file.slice(...header.name).arrayBuffer()));
  if (own !== entry.name) throw fault(archive, `the name ${JSON.stringify(entry.name.slice(0, 200))} in its table of contents is not that of the entry itself`);
}

async function readEntry(archive: PathFile, entry: ZipEntry, path: string, limits: ZipLimits): Promise<Blob> {
  const packed = sliceOf(archive, entry, path, limits, (await readHeader(archive.file, entry))?.start ?? null);
  if (entry.method === STORED) {
    if ((await crc32OfBlob(packed)) !== entry.crc) throw fault(archive, `${path} is damaged`);
    return packed;
  }
  const { bytes, fault: found } = inflateEntry(new Uint8Array(await packed.arrayBuffer()), entry.unpacked, entry.crc);
  if (found !== null) throw fault(archive, `${path} is damaged: ${found}`);
  return new Blob([bytes]);
}

/** The entry where it lies, for whoever reads it. */
async function laterEntry(archive: PathFile, entry: ZipEntry, path: string, limits: ZipLimits, starts: EntryStarts): Promise<Blob> {
  const packed = sliceOf(archive, entry, path, limits, await starts.of(entry));
  noteEntry(packed, { crc: entry.crc, size: entry.unpacked, packed: entry.method === DEFLATED });
  return packed;
}

function sliceOf(archive: PathFile, entry: ZipEntry, path: string, limits: ZipLimits, start: number | null): Blob {
  if (start === null) throw fault(archive, `${path} is damaged`);
  if (start + entry.packed > archive.file.size) throw fault(archive, `${path} is cut off`);
  if (entry.method === STORED && entry.packed !== entry.unpacked) throw fault(archive, `${path} is damaged`);
  if (entry.method !== STORED && entry.method !== DEFLATED) throw fault(archive, `${path} uses the packing method ${entry.method}`, 'Make the ZIP file with the usual method (deflate).');
  if (entry.method === DEFLATED && entry.unpacked > 1024 && entry.unpacked > entry.packed * limits.ratio) {
    throw fault(archive, `${path} claims to unpack to ${limits.ratio} times its size or more`, 'Check where this archive comes from.');
  }
  return archive.file.slice(start, start + entry.packed);
}
