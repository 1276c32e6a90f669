/** Where the files of a ZIP archive begin: their own headers, and how to do without most of them. */

/** A file in an archive, as its table of contents has it. */
export interface ZipEntry {
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

const LOCAL_SIGNATURE = 0x04034b50;
/** Bytes of an entry's own header before its name. */
const HEADER_BYTES = 30;
/** Headers that are read before others are taken to be like them. */
const LOOKS = 32;

/** Where an entry's own header has its name, and where its data begin; null where there is no such header. */
export async function readHeader(archive: Blob, { headerOffset }: ZipEntry): Promise<{ name: readonly [from: number, to: number]; start: number } | null> {
  const header = new DataView(await archive.slice(headerOffset, headerOffset + HEADER_BYTES).arrayBuffer());
  if (header.byteLength < HEADER_BYTES || header.getUint32(0, true) !== LOCAL_SIGNATURE) return null;
  const nameStart = headerOffset + HEADER_BYTES;
  const nameEnd = nameStart + header.getUint16(26, true);
  return { name: [nameStart, nameEnd], start: nameEnd + header.getUint16(28, true) };
}

/**
 * Where entries begin, without reading the header of each: thousands of small reads are what opening an archive takes.
 * What an entry takes beside its bytes and its name is alike in all that one program wrote, and so is how much of it stands
 * before the bytes: entries are taken to be like those that were looked at. Whoever reads one compares its checksum, so
 * that a wrong guess cannot pass.
 */
export class EntryStarts {
  readonly #ends = new Map<ZipEntry, number>();
  /** By what an entry takes beside bytes, name and fixed header: how much of it stands before the bytes. */
  readonly #before = new Map<number, number>();
  #alike = true;
  #looked = 0;

  constructor(
    private readonly archive: Blob,
    entries: readonly ZipEntry[],
    /** Where the table of contents begins. */
    table: number,
  ) {
    const inOrder = [...entries].sort((a, b) => a.headerOffset - b.headerOffset);
    inOrder.forEach((entry, i) => this.#ends.set(entry, i + 1 < inOrder.length ? inOrder[i + 1].headerOffset : table));
  }

  /** Null where the entry's header is looked at and is none. */
  async of(entry: ZipEntry): Promise<number | null> {
    const least = entry.headerOffset + HEADER_BYTES + entry.nameBytes;
    const beside = this.#ends.get(entry)! - least - entry.packed;
    const known = this.#before.get(beside);
    if (this.#alike && this.#looked >= LOOKS && known !== undefined) return least + known;
    const header = await readHeader(this.archive, entry);
    if (!header) return null;
    const { start } = header;
    this.#looked++;
    if (known !== undefined && known !== start - least) this.#alike = false;
    this.#before.set(beside, start - least);
    return start;
  }
}
