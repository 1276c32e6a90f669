/** Takes packed weights from storage, ahead of who asks: the disk reads and sums are checked while the GPU is filled. */
import type { WeightCache } from '../../quantization/weight-cache.ts';
import { LorikeetError } from '../../protocol/errors.ts';
import { packedOf, type PackedWeight } from '../../quantization/packed-weight.ts';
import type { PartStore, StoredPart } from './part-store.ts';
import type { PackedRecord } from './record.ts';

/** Bytes read before they are asked for; one part may be larger. */
const AHEAD_BYTES = 32 * 2 ** 20;

export class PackedReader implements WeightCache {
  private readonly places: ReadonlyMap<string, number>;
  private readonly ahead = new Map<number, Promise<StoredPart>>();

  constructor(
    private readonly store: PartStore,
    private readonly record: PackedRecord,
    /** Called when bytes are not those that were written: the folder is of no more use. */
    private readonly onDamage: () => void,
  ) {
    this.places = new Map(record.parts.map(({ name }, i) => [name, i]));
  }

  holds(name: string): boolean {
    return this.places.has(name);
  }

  async take(name: string): Promise<PackedWeight | null> {
    const place = this.places.get(name);
    if (place === undefined) return null;
    const part = this.record.parts[place];
    this.readFrom(place);
    let stored: StoredPart;
    try {
      stored = await this.ahead.get(place)!;
    } catch {
      this.onDamage();
      return null;
    } finally {
      this.ahead.delete(place);
    }
    this.readFrom(place + 1);
    if (stored.sha256 !== part.sha256) {
      this.onDamage();
      return null;
    }
    return packedOf(part.kind, part.rows, part.cols, new Uint32Array(stored.bytes));
  }

  /** What storage lacks is made for this start only. */
  async keep(): Promise<void> {}

  close(): Promise<void> {
    return this.store.close();
  }

  private readFrom(first: number): void {
    const { parts } = this.record;
    let bytes = 0;
    for (let place = first; place < parts.length; place++) {
      bytes += parts[place].bytes;
      if (place > first && bytes > AHEAD_BYTES) return;
      if (this.ahead.has(place)) continue;
      const read = this.store.read(parts[place]);
      // Whoever takes the part hears of it.
      read.catch(() => undefined);
      this.ahead.set(place, read);
    }
  }
}

/** The error for weights that were asked of a model of which only packed ones are kept. */
export function onlyPacked(name: string): LorikeetError {
  return new LorikeetError('file-missing', `Only packed weights of ${name} are kept in this browser, and not in the form that the settings ask for.`, 'Choose the settings of quantisation that it was packed with, or open the model’s folder or download.', { file: name });
}
