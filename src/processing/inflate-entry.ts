/** One packed file of an archive -> its bytes, and never more of them than were announced. */
import { Inflate } from 'fflate';
import { crc32 } from './crc32.ts';

export interface InflatedEntry {
  bytes: Uint8Array<ArrayBuffer>;
  /** What is wrong with it, for a sentence about the file; null when nothing is. */
  fault: string | null;
}

/** Packed bytes that are handed over at a time: what a bomb makes of so few stays small. */
const STEP = 16384;
const NOTHING = new Uint8Array(0);

/**
 * Unpacks in small steps and stops as soon as more comes out than announced.
 * @param size bytes that must come out
 * @param crc CRC-32 of these bytes
 */
export function inflateEntry(packed: Uint8Array, size: number, crc: number): InflatedEntry {
  const parts: Uint8Array[] = [];
  let length = 0;
  const inflater = new Inflate((chunk) => {
    length += chunk.length;
    if (length <= size) parts.push(chunk);
  });
  try {
    for (let at = 0; at < packed.length && length <= size; at += STEP) inflater.push(packed.subarray(at, at + STEP), at + STEP >= packed.length);
  } catch {
    return { bytes: NOTHING, fault: 'it cannot be unpacked' };
  }
  if (length !== size) return { bytes: NOTHING, fault: `it unpacks to another size than announced (${size} bytes)` };
  const bytes = joined(parts, size);
  return crc32(bytes) === crc ? { bytes, fault: null } : { bytes: NOTHING, fault: 'its checksum differs from the archive’s' };
}

/**
 * What the start of a packed file surely holds: at most `most` bytes, and fewer where a block of the packing is not whole.
 * @param packed its first bytes, not all of them
 */
export function inflateStart(packed: Uint8Array, most: number): InflatedEntry {
  const parts: Uint8Array[] = [];
  let length = 0;
  const inflater = new Inflate((chunk) => {
    length += chunk.length;
    parts.push(chunk);
  });
  try {
    for (let at = 0; at < packed.length && length < most; at += STEP) inflater.push(packed.subarray(at, at + STEP));
  } catch {
    return { bytes: NOTHING, fault: 'it cannot be unpacked' };
  }
  return { bytes: joined(parts, length).subarray(0, most), fault: null };
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
