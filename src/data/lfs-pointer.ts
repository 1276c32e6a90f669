/** What Git leaves in place of large files that were never fetched. */

export const LFS_START = 'version https://git-lfs';
/** Pointers are about 130 bytes long. */
const MAX_POINTER_BYTES = 1024;

export async function isPointer(file: Blob): Promise<boolean> {
  return file.size >= LFS_START.length && file.size <= MAX_POINTER_BYTES && (await file.slice(0, LFS_START.length).text()) === LFS_START;
}
