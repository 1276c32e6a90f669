/** Content fingerprints by SHA-256, in bounded memory. */

/** Bytes hashed at a time; a fingerprint depends on this size. */
const PIECE = 16 * 1024 * 1024;

const hex = (bytes: ArrayBuffer) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** SHA-256 of bytes, hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  return hex(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
}

/** SHA-256 over the SHA-256s of a file's 16 MiB pieces, so that files of any size need little memory. */
export async function fingerprintBlob(blob: Blob): Promise<string> {
  const hashes: string[] = [];
  for (let start = 0; start < Math.max(1, blob.size); start += PIECE) {
    hashes.push(hex(await crypto.subtle.digest('SHA-256', await blob.slice(start, start + PIECE).arrayBuffer())));
  }
  return hashes.length === 1 ? hashes[0] : sha256(new TextEncoder().encode(hashes.join('\n')));
}

/** One fingerprint for a list of lines, whatever their order. */
export async function fingerprintLines(lines: readonly string[]): Promise<string> {
  return sha256(new TextEncoder().encode([...lines].sort().join('\n')));
}
