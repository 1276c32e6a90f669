/** Makes a GIF's first picture opaque, so that the browser's decoder gives transparent pixels the colour that their palette has, as PIL's `convert("RGB")` does. */

const TABLE_FLAG = 0x80;
const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const TRANSPARENT_FLAG = 1;

/** A copy of the file in which the blocks before its first picture name no transparent colour. */
export function withoutTransparency(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice();
  let at = 13 + (copy[10] & TABLE_FLAG ? 3 * 2 ** ((copy[10] & 7) + 1) : 0);
  while (at + 2 < copy.length && copy[at] === EXTENSION) {
    if (copy[at + 1] === GRAPHIC_CONTROL && at + 3 < copy.length) copy[at + 3] &= ~TRANSPARENT_FLAG;
    at += 2;
    while (at < copy.length && copy[at] !== 0) at += copy[at] + 1;
    at++;
  }
  return copy;
}
