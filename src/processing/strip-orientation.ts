/**
 * Hides EXIF blocks from the browser's image decoder, so that it delivers the pixels as stored.
 *
 * Chromium turns JPEGs by their EXIF orientation even when asked for `imageOrientation: "none"`; PIL, with which boxes
 * and models were made, does not. Nothing but the metadata changes.
 */

const START_OF_SCAN = 0xda;
/** APP1: EXIF and XMP. */
const METADATA_MARKER = 0xe1;

/** The JPEG in pieces, without its metadata blocks. */
export function jpegWithoutExif(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const kept: Uint8Array<ArrayBuffer>[] = [];
  let from = 0;
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== START_OF_SCAN) {
    if (bytes[at + 1] === 0xff) {
      at++;
      continue;
    }
    const next = at + 2 + bytes[at + 2] * 256 + bytes[at + 3];
    if (bytes[at + 1] === METADATA_MARKER) {
      kept.push(bytes.subarray(from, at));
      from = next;
    }
    at = next;
  }
  kept.push(bytes.subarray(from));
  return kept;
}
