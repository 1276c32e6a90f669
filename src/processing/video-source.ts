/** Bytes of a video for the library that takes it apart, against searches of it that never end. */
import type { BlobSource } from 'mediabunny';

/** The library's own way to its bytes, which it does not declare. */
interface Readable {
  _read(start: number, end: number, ...bounds: number[]): unknown;
}

/** Honest files ask for the same bytes again a few times at most. */
const MAX_REPEATS = 1000;

/**
 * Makes a source fail that is asked for the same bytes over and over. Looking for the next element of damaged Matroska,
 * mediabunny 1.61 stops moving at the last eight bytes of what it searches, without ever giving the thread back.
 */
export function endingSource(source: BlobSource): BlobSource {
  const readable = source as unknown as Readable;
  const read = readable._read.bind(source);
  let last = '';
  let repeats = 0;
  readable._read = (start, end, ...bounds) => {
    const asked = `${start}-${end}`;
    repeats = asked === last ? repeats + 1 : 0;
    last = asked;
    if (repeats > MAX_REPEATS) throw new Error(`nothing that can be read follows byte ${start}`);
    return read(start, end, ...bounds);
  };
  return source;
}
