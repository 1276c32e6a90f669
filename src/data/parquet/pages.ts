/** The pages of a column chunk, one after the other, each checked against its header before anything is unpacked. */
import type { PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { crc32 } from '../../processing/crc32.ts';
import { Damage, expectBetween } from './damage.ts';
import type { Chunk } from './footer.ts';
import { CutShort, endOfStruct } from './thrift-shape.ts';

export interface Page {
  header: PageHeader;
  /** As they are stored, in a buffer of their own: whatever reads beyond them fails. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where they begin in the file. */
  at: number;
}

/** A page is unpacked as a whole; writers make them of a megabyte, or of as many pictures as a row group has. */
const MAX_PAGE_BYTES = 512 * 2 ** 20;
/** Values of a page; writers end them long before. */
const MAX_PAGE_VALUES = 4 * 2 ** 20;
/** Small pages are read many at a time. */
const WINDOW_BYTES = 2 ** 20;
const HEADER_BYTES = 4096;

/**
 * Reads until as many values have come as the chunk says.
 * @throws Damage for headers that lie, pages that are cut off, and values that are missing
 */
export async function* pagesOf(file: Blob, { start, end, values }: Chunk): AsyncGenerator<Page> {
  const window = new Window(file, end);
  let found = 0;
  for (let at = start; found < values; ) {
    if (at >= end) throw new Damage(`it holds ${found} of ${values} values`);
    const { header, length } = await headerAt(window, at);
    at += length;
    const packed = expectBetween(header.compressed_page_size, 0, end - at, 'the size of a page');
    expectBetween(header.uncompressed_page_size, 0, MAX_PAGE_BYTES, 'the unpacked size of a page');
    const bytes = (await window.take(at, packed)).slice();
    if (typeof header.crc === 'number' && crc32(bytes) !== header.crc >>> 0) throw new Damage('the checksum of a page differs');
    found += valuesIn(header, values - found);
    yield { header, bytes, at };
    at += packed;
  }
}

function valuesIn(header: PageHeader, left: number): number {
  const own = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? 0;
  return expectBetween(own, 0, Math.min(left, MAX_PAGE_VALUES), 'the number of values of a page');
}

/** Headers are of any length: they may quote values. */
async function headerAt(window: Window, at: number): Promise<{ header: PageHeader; length: number }> {
  for (let room = HEADER_BYTES; ; room *= 8) {
    const bytes = await window.take(at, Math.min(room, window.end - at));
    try {
      const length = endOfStruct(bytes, 0);
      const header = parquetHeader({ view: new DataView(bytes.buffer, bytes.byteOffset, length), offset: 0 });
      return { header, length };
    } catch (error) {
      if (!(error instanceof CutShort) || bytes.length === window.end - at) throw error;
    }
  }
}

/** Part of a file that moves along. */
class Window {
  private bytes = new Uint8Array(0);
  private from = 0;

  constructor(
    private readonly file: Blob,
    readonly end: number,
  ) {}

  async take(at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (at < this.from || at + length > this.from + this.bytes.length) {
      this.bytes = new Uint8Array(await this.file.slice(at, Math.min(this.end, at + Math.max(length, WINDOW_BYTES))).arrayBuffer());
      this.from = at;
    }
    return this.bytes.subarray(at - this.from, at - this.from + length);
  }
}
