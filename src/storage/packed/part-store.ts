/** The pieces in which packed parts lie, written and read in place. Works in a dedicated worker only: elsewhere no file can be. */
import { sha256 } from '../fingerprint.ts';
import { writeAll } from '../write-all.ts';
import { pieceName } from './record.ts';

/** Where a part lies. */
export interface PartPlace {
  piece: number;
  /** In bytes, of the piece. */
  offset: number;
  bytes: number;
}

/** A part, and the SHA-256 of what was read. */
export interface StoredPart {
  bytes: ArrayBuffer;
  sha256: string;
}

export interface PartStore {
  /**
   * Writes a part, and takes its bytes over.
   * @throws DOMException, "QuotaExceededError" where the disk is full
   */
  write(place: PartPlace, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** @throws DOMException when the piece cannot be read */
  read(place: PartPlace): Promise<StoredPart>;
  /**
   * SHA-256 of what lies there.
   * @throws as read
   */
  sum(place: PartPlace): Promise<string>;
  /** Frees the files. Nothing may be asked for afterwards. */
  close(): Promise<void>;
}

/** Others may read a file at the same time. The installed typings lack the option, and browsers without it ignore it. */
const READING = { mode: 'read-only' };

export class LocalParts implements PartStore {
  private open: { piece: number; writing: boolean; access: FileSystemSyncAccessHandle } | null = null;
  private queue: Promise<unknown> = Promise.resolve();
  /** For bytes that nobody keeps. */
  private scratch = new Uint8Array(0);

  constructor(private readonly folder: FileSystemDirectoryHandle) {}

  write({ piece, offset }: PartPlace, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.inTurn(async () => writeAll(await this.access(piece, true), bytes, offset));
  }

  read(place: PartPlace): Promise<StoredPart> {
    return this.inTurn(async () => {
      const bytes = new Uint8Array(place.bytes);
      return { bytes: bytes.buffer, sha256: await this.readInto(bytes, place) };
    });
  }

  sum(place: PartPlace): Promise<string> {
    return this.inTurn(async () => {
      if (this.scratch.length < place.bytes) this.scratch = new Uint8Array(place.bytes);
      return this.readInto(this.scratch.subarray(0, place.bytes), place);
    });
  }

  close(): Promise<void> {
    return this.inTurn(async () => this.release());
  }

  /** @returns SHA-256 of what was read */
  private async readInto(bytes: Uint8Array<ArrayBuffer>, { piece, offset }: PartPlace): Promise<string> {
    const count = (await this.access(piece, false)).read(bytes, { at: offset });
    return sha256(bytes.subarray(0, count));
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.queue.then(work);
    this.queue = done.catch(() => undefined);
    return done;
  }

  private release(): void {
    this.open?.access.close();
    this.open = null;
  }

  /** Parts come in the order in which they lie, so that one piece at a time is open. */
  private async access(piece: number, writing: boolean): Promise<FileSystemSyncAccessHandle> {
    if (this.open?.piece === piece && this.open.writing === writing) return this.open.access;
    this.release();
    const handle = await this.folder.getFileHandle(pieceName(piece), { create: writing });
    const access = await (writing ? handle.createSyncAccessHandle() : (handle.createSyncAccessHandle as (options: object) => Promise<FileSystemSyncAccessHandle>).call(handle, READING));
    this.open = { piece, writing, access };
    return access;
  }
}
