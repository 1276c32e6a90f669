/** CRC-32 of ZIP and PNG (ISO 3309), piece by piece. */

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/**
 * The checksum of bytes that follow on others.
 * @param before checksum of what came before; 0 at the start
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  let value = ~before;
  for (let i = 0; i < bytes.length; i++) value = TABLE[(value ^ bytes[i]) & 0xff] ^ (value >>> 8);
  return ~value >>> 0;
}

/** The checksum of a Blob, read in pieces. */
export async function crc32OfBlob(blob: Blob): Promise<number> {
  const PIECE = 8 * 2 ** 20;
  let value = 0;
  for (let at = 0; at < blob.size; at += PIECE) value = crc32(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()), value);
  return value;
}
