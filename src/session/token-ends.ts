/** Where in an answer's text its tokens end. */

/**
 * Characters of the text up to the end of each token. A character whose bytes lie in several tokens belongs to the last.
 * @param text what `decode` makes of all ids
 */
export function tokenEnds(ids: readonly number[], text: string, decode: (ids: readonly number[]) => string): number[] {
  const ends: number[] = [];
  let whole = 0;
  let open: number[] = [];
  for (const id of ids) {
    open.push(id);
    const written = decode(open);
    if (written.endsWith('\uFFFD')) {
      ends.push(whole);
      continue;
    }
    whole += written.length;
    open = [];
    ends.push(whole);
  }
  // Bytes that make no character are told apart only in the whole text.
  return whole === text.length ? ends : ids.map((_, i) => decode(ids.slice(0, i + 1)).length);
}
