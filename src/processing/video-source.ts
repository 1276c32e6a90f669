/** Bytes of a video for the library that takes it apart, against searches of it that never end. */
import type { BlobSource } from 'mediabunny';

/** The library's own way to its bytes, which it does not declare. */
interface Readable {
  _read(start: number, end: number, ...bounds: number[]): unknown;
}

/** Reads one after the other, the thread not given back in between, of ranges that were read before; whoever gets on reads something new. */
const MOST_OLD_READS = 3000;

/**
 * Makes a source fail that is asked for the same bytes over and over. Looking for the next element of damaged Matroska,
 * mediabunny 1.61 may stop moving, without ever giving the thread back: at the last eight bytes of what it searches, or
 * at an element that it takes for the next one and cannot read.
 */
export function endingSource(source: BlobSource): BlobSource {
  const readable = source as unknown as Readable;
  const read = readable._read.bind(source);
  const seen = new Set<string>();
  let old = 0;
  let counting = false;
  const forget = () => {
    seen.clear();
    old = 0;
    counting = false;
  };
  readable._read = (start, end, ...bounds) => {
    // A clip is read again and again, epoch after epoch: only a search that never ends keeps this from being called.
    if (!counting) setTimeout(forget, 0);
    counting = true;
    const range = `${start}-${end}`;
    old = seen.has(range) ? old + 1 : 0;
    seen.add(range);
    if (old > MOST_OLD_READS) throw new Error(`nothing that can be read follows byte ${start}`);
    return read(start, end, ...bounds);
  };
  return source;
}
