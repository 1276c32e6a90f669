/** Bytes as base64 (RFC 4648, section 4). */

/** A call takes no more arguments than this everywhere. */
const PIECE = 0x8000;

export function base64Of(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += PIECE) binary += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return btoa(binary);
}
