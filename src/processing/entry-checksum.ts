/** Checksums of pictures that lie unpacked in an archive: compared when a picture is read as a whole, not when the archive is opened. */
import { LorikeetError } from '../protocol/errors.ts';
import { crc32 } from './crc32.ts';

const expected = new WeakMap<Blob, number>();

/** Notes the CRC-32 that an archive gives for one of its files. */
export function expectChecksum(file: Blob, crc: number): void {
  expected.set(file, crc);
}

/**
 * Compares all bytes of a file with what its archive says of them; files from no archive pass.
 * @throws LorikeetError "image" naming the file
 */
export function checkWhole(blob: Blob, bytes: Uint8Array, file: string): void {
  const crc = expected.get(blob);
  if (crc === undefined || crc32(bytes) === crc) return;
  throw new LorikeetError('image', `${file} is damaged: its checksum differs from the archive’s.`, 'Make the ZIP file again, or unpack it and drop the folder.', { file });
}
