/** Keeps packed weights while a model is loaded for the first time. A full disk costs only the saving, never the loading. */
import type { WeightCache } from '../../quantization/weight-cache.ts';
import type { PackedWeight } from '../../quantization/packed-weight.ts';
import type { PartStore } from './part-store.ts';
import { openParts } from './part-worker.ts';
import { packedFolder, PIECE_BYTES, type PackedPart } from './record.ts';

/** Bytes that may wait to be written; one part may be larger. */
const WAITING_BYTES = 32 * 2 ** 20;

export class PackedWriter implements WeightCache {
  /** Why keeping ended early; null while all goes well. */
  failure: unknown = null;
  private readonly store: PartStore;
  private piece = 0;
  private filled = 0;
  private readonly written: Omit<PackedPart, 'sha256'>[] = [];
  private readonly writing: { bytes: number; written: Promise<void> }[] = [];

  private constructor(
    private readonly key: string,
    readonly folder: FileSystemDirectoryHandle,
    private readonly pieceBytes: number,
  ) {
    this.store = openParts(folder);
  }

  /** Begins an empty folder; what an earlier start left unfinished is removed. */
  static async begin(key: string, pieceBytes = PIECE_BYTES): Promise<PackedWriter> {
    const all = await packedFolder();
    await all.removeEntry(key, { recursive: true }).catch(() => undefined);
    return new PackedWriter(key, await all.getDirectoryHandle(key, { create: true }), pieceBytes);
  }

  holds(): boolean {
    return false;
  }

  async take(): Promise<null> {
    return null;
  }

  async keep(name: string, { kind, rows, cols, words }: PackedWeight): Promise<void> {
    if (this.failure) return;
    if (this.filled > 0 && this.filled + words.byteLength > this.pieceBytes) {
      this.piece += 1;
      this.filled = 0;
    }
    const bytes = new Uint8Array(words.buffer as ArrayBuffer, words.byteOffset, words.byteLength);
    const place = { piece: this.piece, offset: this.filled, bytes: bytes.length };
    this.written.push({ name, kind, rows, cols, ...place });
    this.filled += bytes.length;
    const written = this.store.write(place, bytes).catch((error: unknown) => void (this.failure ??= error));
    this.writing.push({ bytes: place.bytes, written });
    while (this.writing.length > 1 && this.waitingBytes() > WAITING_BYTES) await this.writing.shift()!.written;
  }

  /**
   * Waits for all to be written, and takes the sums of what storage gives back: nobody waits for them before the model is loaded.
   * @throws what writing threw
   */
  async close(): Promise<PackedPart[]> {
    const parts: PackedPart[] = [];
    try {
      for (const { written } of this.writing.splice(0)) await written;
      for (const part of this.failure ? [] : this.written) parts.push({ ...part, sha256: await this.store.sum(part) });
    } finally {
      await this.store.close();
    }
    if (this.failure) throw this.failure;
    return parts;
  }

  /** Removes what was written. */
  async abandon(reason: unknown): Promise<void> {
    this.failure ??= reason;
    await this.close().catch(() => undefined);
    await (await packedFolder()).removeEntry(this.key, { recursive: true }).catch(() => undefined);
  }

  private waitingBytes(): number {
    return this.writing.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
