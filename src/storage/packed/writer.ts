/** Keeps packed weights while a model is loaded for the first time. A full disk costs only the saving, never the loading. */
import type { WeightCache } from '../../quantization/weight-cache.ts';
import type { PackedWeight } from '../../quantization/packed-weight.ts';
import { sha256 } from '../fingerprint.ts';
import { packedFolder, PIECE_BYTES, pieceName, type PackedPart } from './record.ts';

export class PackedWriter implements WeightCache {
  readonly parts: PackedPart[] = [];
  private piece = -1;
  private filled = 0;
  private open: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | null = null;

  private constructor(
    private readonly key: string,
    readonly folder: FileSystemDirectoryHandle,
    private readonly pieceBytes: number,
  ) {}

  /** Begins an empty folder; what an earlier start left unfinished is removed. */
  static async begin(key: string, pieceBytes = PIECE_BYTES): Promise<PackedWriter> {
    const all = await packedFolder();
    await all.removeEntry(key, { recursive: true }).catch(() => undefined);
    return new PackedWriter(key, await all.getDirectoryHandle(key, { create: true }), pieceBytes);
  }

  async take(): Promise<null> {
    return null;
  }

  /** Why keeping ended early; null while all goes well. */
  failure: unknown = null;

  async keep(name: string, { kind, rows, cols, words }: PackedWeight): Promise<void> {
    if (this.failure) return;
    try {
      if (!this.open || (this.filled > 0 && this.filled + words.byteLength > this.pieceBytes)) await this.nextPiece();
      const bytes = new Uint8Array(words.buffer as ArrayBuffer, words.byteOffset, words.byteLength);
      this.parts.push({ name, kind, rows, cols, piece: this.piece, offset: this.filled, bytes: bytes.length, sha256: await sha256(bytes) });
      await this.open!.write(bytes);
      this.filled += bytes.length;
    } catch (error) {
      await this.abandon(error);
    }
  }

  /** Brings the last piece to the disk. */
  async close(): Promise<void> {
    await this.open?.close();
    this.open = null;
  }

  /** Removes what was written. */
  async abandon(reason: unknown): Promise<void> {
    this.failure = reason;
    await this.open?.abort().catch(() => undefined);
    this.open = null;
    await (await packedFolder()).removeEntry(this.key, { recursive: true }).catch(() => undefined);
  }

  private async nextPiece(): Promise<void> {
    await this.close();
    this.piece += 1;
    this.filled = 0;
    const handle = await this.folder.getFileHandle(pieceName(this.piece), { create: true });
    this.open = ((await handle.createWritable()) as WritableStream<Uint8Array<ArrayBuffer>>).getWriter();
  }
}
