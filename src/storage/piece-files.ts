/** Pieces of a download in this site's own storage. Works in a dedicated worker only: there files can be written in place. */
import type { PieceStore } from '../hub/download.ts';
import type { HubFile } from '../hub/listing.ts';
import type { Piece } from '../hub/pieces.ts';
import { Sha256 } from '../hub/sha256.ts';
import { storageError } from './database.ts';
import { writeAll } from './write-all.ts';

/** Of the SHA-256 of a piece; all zero where the piece is not here. */
const HASH_BYTES = 32;
const JOURNAL = 'pieces';
/** Bytes hashed before others have their turn. */
const STRIDE = 4 * 2 ** 20;

/** As browsers have it; the installed typings lack the mode of opening. */
type Access = FileSystemSyncAccessHandle;

/**
 * The journal holds the hash of each piece, written after the piece itself has reached the disk: what a crash cut off is
 * fetched again, and what the disk spoilt is told from what the server sent wrong.
 */
export class PieceFiles implements PieceStore {
  private readonly checked = new Set<number>();

  private constructor(
    private readonly files: readonly HubFile[],
    private readonly pieces: readonly Piece[],
    private readonly handles: readonly Access[],
    private readonly journal: Access,
    private readonly hashes: Uint8Array<ArrayBuffer>,
  ) {}

  /**
   * @param folder of the model
   * @param filesFolder name of the folder inside it that gets the files
   * @throws LorikeetError "storage-full", "storage-failed"
   */
  static async open(folder: FileSystemDirectoryHandle, filesFolder: string, files: readonly HubFile[], pieces: readonly Piece[]): Promise<PieceFiles> {
    const opened: Access[] = [];
    const open = async (parent: FileSystemDirectoryHandle, name: string) => {
      const access = await (await parent.getFileHandle(name, { create: true })).createSyncAccessHandle();
      opened.push(access);
      return access;
    };
    try {
      const journal = await open(folder, JOURNAL);
      const hashes = new Uint8Array(pieces.length * HASH_BYTES);
      journal.read(hashes, { at: 0 });
      const inside = await folder.getDirectoryHandle(filesFolder, { create: true });
      const handles: Access[] = [];
      for (const { path } of files) handles.push(await open(inside, path));
      const store = new PieceFiles(files, pieces, handles, journal, hashes);
      for (const piece of pieces) if (handles[piece.file].getSize() < piece.offset + piece.bytes) store.forget(piece);
      return store;
    } catch (error) {
      for (const access of opened) access.close();
      throw storageError(error);
    }
  }

  has({ index }: Piece): boolean {
    return this.hashOf(index).some((byte) => byte !== 0);
  }

  async write({ index, file, offset }: Piece, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    try {
      writeAll(this.handles[file], bytes, offset);
      this.handles[file].flush();
      this.hashOf(index).set(hash);
      writeAll(this.journal, hash, index * HASH_BYTES);
    } catch (error) {
      throw storageError(error);
    }
  }

  isChecked(file: number): boolean {
    return this.checked.has(file);
  }

  async check(file: number, signal: AbortSignal): Promise<boolean> {
    const { size, checksum } = this.files[file];
    const access = this.handles[file];
    if (access.getSize() > size) access.truncate(size);
    const found = checksum.kind === 'git' ? await gitHash(access, size) : await fileHash(access, size, signal);
    if (found !== checksum.hex) return false;
    this.checked.add(file);
    return true;
  }

  async dropDamaged(file: number): Promise<boolean> {
    const mine = this.pieces.filter((piece) => piece.file === file);
    const damaged: Piece[] = [];
    for (const piece of mine) {
      const bytes = new Uint8Array(piece.bytes);
      this.handles[file].read(bytes, { at: piece.offset });
      const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      const known = this.hashOf(piece.index);
      if (hash.some((byte, i) => byte !== known[i])) damaged.push(piece);
    }
    for (const piece of damaged.length > 0 ? damaged : mine) this.forget(piece);
    this.journal.flush();
    return damaged.length === 0;
  }

  close(): void {
    for (const access of [...this.handles, this.journal]) {
      access.flush();
      access.close();
    }
  }

  private hashOf(index: number): Uint8Array {
    return this.hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }

  private forget({ index }: Piece): void {
    this.hashOf(index).fill(0);
    this.journal.write(new Uint8Array(HASH_BYTES), { at: index * HASH_BYTES });
  }
}

async function fileHash(access: Access, size: number, signal: AbortSignal): Promise<string> {
  const hash = new Sha256();
  const buffer = new Uint8Array(STRIDE);
  for (let at = 0; at < size; at += STRIDE) {
    signal.throwIfAborted();
    const count = access.read(buffer, { at });
    hash.update(buffer.subarray(0, Math.min(count, size - at)));
    await new Promise((resolve) => setTimeout(resolve));
  }
  return hash.digest();
}

/** Git's name of a blob: SHA-1 over its size and content. Files stored so have at most some MB. */
async function gitHash(access: Access, size: number): Promise<string> {
  const head = new TextEncoder().encode(`blob ${size}\0`);
  const bytes = new Uint8Array(head.length + size);
  bytes.set(head);
  access.read(bytes.subarray(head.length), { at: 0 });
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-1', bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
