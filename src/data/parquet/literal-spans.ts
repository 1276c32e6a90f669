/**
 * Pieces of a Snappy stream that stand in it as they come out of it.
 *
 * Pictures are packed already: Snappy finds nothing to shorten and writes them down as they are. Of such a picture the
 * file itself holds the bytes, so that it need not be kept in memory.
 */

export interface Span {
  /** Where it begins among the unpacked bytes. */
  at: number;
  length: number;
  /** Where it begins in the stream. */
  source: number;
}

/** Shorter pieces cost more to refer to than to copy. */
const MIN_SPAN = 1024;

/** @param packed a stream that has been unpacked without fault */
export function literalSpans(packed: Uint8Array): Span[] {
  const spans: Span[] = [];
  let source = 0;
  while (packed[source] >= 0x80) source++;
  source++;
  let at = 0;
  while (source < packed.length) {
    const tag = packed[source++];
    const kind = tag & 3;
    let length = (tag >>> 2) + 1;
    if (kind === 1) {
      length = ((tag >>> 2) & 7) + 4;
      source += 1;
    } else if (kind === 2) source += 2;
    else if (kind === 3) source += 4;
    else {
      if (length > 60) {
        const bytes = length - 60;
        length = 1;
        for (let i = 0; i < bytes; i++) length += packed[source + i] * 2 ** (8 * i);
        source += bytes;
      }
      if (length >= MIN_SPAN) spans.push({ at, length, source });
      source += length;
    }
    at += length;
  }
  return spans;
}
