/** Resized pictures and clips kept for the next epoch, as many as fit; the least recently used go first. */
import type { ResizedImage } from '../processing/types.ts';

/** The frames of a clip, or a picture alone. */
type Frames = readonly ResizedImage[];

const bytesOf = (frames: Frames) => frames.reduce((sum, { pixels }) => sum + pixels.byteLength, 0);

/** Enough for some 300 images of 512 × 512. */
const DEFAULT_BYTES = 256 * 2 ** 20;

export class ImageCache {
  /** In the order of use, oldest first. */
  private readonly images = new Map<string, Frames>();
  private readonly loading = new Map<string, Promise<Frames>>();
  private used = 0;

  constructor(private readonly limit = DEFAULT_BYTES) {}

  get bytes(): number {
    return this.used;
  }

  /** The frames of that key; `load` runs at most once at a time per key, and its errors are not kept. */
  async get(key: string, load: () => Promise<Frames>): Promise<Frames> {
    const cached = this.images.get(key);
    if (cached) {
      this.images.delete(key);
      this.images.set(key, cached);
      return cached;
    }
    const pending = this.loading.get(key) ?? this.load(key, load);
    return pending;
  }

  clear(): void {
    this.images.clear();
    this.used = 0;
  }

  private load(key: string, load: () => Promise<Frames>): Promise<Frames> {
    const pending = load()
      .then((frames) => {
        this.keep(key, frames);
        return frames;
      })
      .finally(() => this.loading.delete(key));
    this.loading.set(key, pending);
    return pending;
  }

  private keep(key: string, frames: Frames): void {
    const size = bytesOf(frames);
    if (size > this.limit) return;
    this.images.set(key, frames);
    this.used += size;
    for (const [oldest, kept] of this.images) {
      if (this.used <= this.limit) break;
      this.images.delete(oldest);
      this.used -= bytesOf(kept);
    }
  }
}
