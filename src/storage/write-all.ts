/**
 * Writes all bytes at a place of a file that is open for writing in place. A full disk shows as an exception, or as fewer bytes than
 * were given.
 * @throws DOMException "QuotaExceededError"
 */
export function writeAll(access: FileSystemSyncAccessHandle, bytes: Uint8Array<ArrayBuffer>, at: number): void {
  const written = access.write(bytes, { at });
  if (written < bytes.length) throw new DOMException(`only ${written} of ${bytes.length} bytes could be written`, 'QuotaExceededError');
}
