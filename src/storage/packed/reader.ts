/** Takes packed weights from storage, one part ahead of who asks: the disk reads while the GPU is filled. */
import type { WeightCache } from '../../quantization/weight-cache.ts';
import { LorikeetError } from '../../protocol/errors.ts';
import { packedOf, type PackedWeight } from '../../quantization/packed-weight.ts';
import { sha256 } from '../fingerprint.ts';
import { pieceName, type PackedPart, type PackedRecord } from './record.ts';

export class PackedReader implements WeightCache {
  private readonly places: ReadonlyMap<string, number>;
  private ahead: { name: string; bytes: Promise<ArrayBuffer> } | null = null;

  constructor(
    private readonly folder: FileSystemDirectoryHandle,
    private readonly record: PackedRecord,
    /** Called when bytes are not those that were written: the folder is of no more use. */
    private readonly onDamage: () => void,
  ) {
    this.places = new Map(record.parts.map(({ name }, i) => [name, i]));
  }

  async take(name: string): Promise<PackedWeight | null> {
    const place = this.places.get(name);
    if (place === undefined) return null;
    const part = this.record.parts[place];
    let bytes: ArrayBuffer;
    try {
      bytes = await (this.ahead?.name === name ? this.ahead.bytes : this.read(part));
    } catch {
      this.onDamage();
      return null;
    }
    const next = this.record.parts.at(place + 1);
    this.ahead = next ? { name: next.name, bytes: this.read(next) } : null;
    // Asked for by the next take, which also hears of it when it fails.
    this.ahead?.bytes.catch(() => undefined);
    if (bytes.byteLength !== part.bytes || (await sha256(new Uint8Array(bytes))) !== part.sha256) {
      this.onDamage();
      return null;
    }
    return packedOf(part.kind, part.rows, part.cols, new Uint32Array(bytes));
  }

  /** What storage lacks is made for this start only. */
  async keep(): Promise<void> {}

  private async read({ piece, offset, bytes }: PackedPart): Promise<ArrayBuffer> {
    const file = await (await this.folder.getFileHandle(pieceName(piece))).getFile();
    return file.slice(offset, offset + bytes).arrayBuffer();
  }
}

/** The error for weights that were asked of a model of which only packed ones are kept. */
export function onlyPacked(name: string): LorikeetError {
  return new LorikeetError('file-missing', `Only packed weights of ${name} are kept in this browser, and not in the form that the settings ask for.`, 'Choose the settings of quantisation that it was packed with, or open the model’s folder or download.', { file: name });
}
