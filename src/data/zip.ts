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

interface Entry {
  name: string;
  packed: number;
  unpacked: number;
  crc: number;
  method: number;
  encrypted: boolean;
  headerOffset: number;
  /** Length of its name in the archive. */
  nameBytes: number;
}

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
/** Bytes of an entry's own header before its name. */
const HEADER_BYTES = 30;
/** Entries that are read at the same time. */
const AT_ONCE = 16;
/** Headers that are read before others are taken to be like them. */
const LOOKS = 32;
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
  const starts = new EntryStarts(archive, entries, offset);
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

async function readEntries(archive: PathFile, limits: ZipLimits): Promise<{ entries: Entry[]; offset: number }> {
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

function parseEntries(archive: PathFile, table: DataView, count: number): Entry[] {
  const entries: Entry[] = [];
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
async function checkName({ path, file }: PathFile, { name, headerOffset }: Entry): Promise<void> {
  const header = await view(file, headerOffset, headerOffset + HEADER_BYTES);
  if (header.byteLength < HEADER_BYTES || header.getUint32(0, true) !== LOCAL_SIGNATURE) throw fault({ path, file }, 'its table of contents is damaged');
  const length = header.getUint16(26, true);
  const own = entryName(new Uint8Array(await file.slice(headerOffset + HEADER_BYTES, headerOffset + HEADER_BYTES + length).arrayBuffer()));
  if (own !== name) throw fault({ path, file }, `the name ${JSON.stringify(name.slice(0, 200))} in its table of contents is not that of the entry itself`);
}

async function readEntry(archive: PathFile, entry: Entry, path: string, limits: ZipLimits): Promise<Blob> {
  const packed = sliceOf(archive, entry, path, limits, await readStart(archive, entry));
  if (entry.method === STORED) {
    if ((await crc32OfBlob(packed)) !== entry.crc) throw fault(archive, `${path} is damaged`);
    return packed;
  }
  const { bytes, fault: found } = inflateEntry(new Uint8Array(await packed.arrayBuffer()), entry.unpacked, entry.crc);
  if (found !== null) throw fault(archive, `${path} is damaged: ${found}`);
  return new Blob([bytes]);
}

/** The entry where it lies, for whoever reads it. */
async function laterEntry(archive: PathFile, entry: Entry, path: string, limits: ZipLimits, starts: EntryStarts): Promise<Blob> {
  const packed = sliceOf(archive, entry, path, limits, await starts.of(entry));
  noteEntry(packed, { crc: entry.crc, size: entry.unpacked, packed: entry.method === DEFLATED });
  return packed;
}

function sliceOf(archive: PathFile, entry: Entry, path: string, limits: ZipLimits, start: number | null): Blob {
  if (start === null) throw fault(archive, `${path} is damaged`);
  if (start + entry.packed > archive.file.size) throw fault(archive, `${path} is cut off`);
  if (entry.method === STORED && entry.packed !== entry.unpacked) throw fault(archive, `${path} is damaged`);
  if (entry.method !== STORED && entry.method !== DEFLATED) throw fault(archive, `${path} uses the packing method ${entry.method}`, 'Make the ZIP file with the usual method (deflate).');
  if (entry.method === DEFLATED && entry.unpacked > 1024 && entry.unpacked > entry.packed * limits.ratio) {
    throw fault(archive, `${path} claims to unpack to ${limits.ratio} times its size or more`, 'Check where this archive comes from.');
  }
  return archive.file.slice(start, start + entry.packed);
}

/** Where an entry's bytes begin, as its own header says; null where there is no such header. */
async function readStart({ file }: PathFile, { headerOffset }: Entry): Promise<number | null> {
  const header = await view(file, headerOffset, headerOffset + HEADER_BYTES);
  if (header.byteLength < HEADER_BYTES || header.getUint32(0, true) !== LOCAL_SIGNATURE) return null;
  return headerOffset + HEADER_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
}

/**
 * Where entries begin, without reading the header of each: thousands of small reads are what opening an archive takes.
 * What an entry takes beside its bytes and its name is alike in all that one program wrote, and so is how much of it stands
 * before the bytes: entries are taken to be like those that were looked at. Whoever reads one compares its checksum, so
 * that a wrong guess cannot pass.
 */
class EntryStarts {
  readonly #ends = new Map<Entry, number>();
  /** By what an entry takes beside bytes, name and fixed header: how much of it stands before the bytes. */
  readonly #before = new Map<number, number>();
  #alike = true;
  #looked = 0;

  constructor(
    private readonly archive: PathFile,
    entries: readonly Entry[],
    /** Where the table of contents begins. */
    table: number,
  ) {
    const inOrder = [...entries].sort((a, b) => a.headerOffset - b.headerOffset);
    inOrder.forEach((entry, i) => this.#ends.set(entry, i + 1 < inOrder.length ? inOrder[i + 1].headerOffset : table));
  }

  /** Null where the entry's header is looked at and is none. */
  async of(entry: Entry): Promise<number | null> {
    const least = entry.headerOffset + HEADER_BYTES + entry.nameBytes;
    const beside = this.#ends.get(entry)! - least - entry.packed;
    const known = this.#before.get(beside);
    if (this.#alike && this.#looked >= LOOKS && known !== undefined) return least + known;
    const start = await readStart(this.archive, entry);
    if (start === null) return null;
    this.#looked++;
    if (known !== undefined && known !== start - least) this.#alike = false;
    this.#before.set(beside, start - least);
    return start;
  }
}
