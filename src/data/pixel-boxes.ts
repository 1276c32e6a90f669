/** Boxes that are to be thousandths of their images, but look as if they counted pixels. */
import type { ImageSize } from '../processing/smart-resize.ts';

/** Samples of a file that are looked at: their images' headers have to be read. */
const MAX_SAMPLES = 200;
/** Chance below which it is worth a word that all boxes lie inside the pixel size: few boxes must be enough, and a word costs little. */
const UNLIKELY = 0.1;
/** One box alone tells nothing. */
const MIN_BOXES = 2;
const WHOLE = 1000;

/** Collects the boxes of one file. */
export class PixelBoxes {
  private boxes = 0;
  private samples = 0;
  private chance = 1;
  private inside = true;
  private above = 0;
  private largest: ImageSize = { width: 0, height: 0 };

  /** The user has said what they count. */
  trust(): void {
    this.inside = false;
  }

  /** Whether a further sample would be looked at. */
  get wanted(): boolean {
    return this.inside && this.samples < MAX_SAMPLES;
  }

  /** @param boxes of one answer about one image, as they are written */
  add(boxes: readonly (readonly number[])[], { width, height }: ImageSize): void {
    this.samples++;
    for (const box of boxes) {
      const [x, y] = [Math.max(box[0], box[2]), Math.max(box[1], box[3])];
      if (x > width || y > height) this.inside = false;
      if (x > WHOLE || y > WHOLE) this.above++;
      this.boxes++;
      this.chance *= Math.min(1, width / WHOLE) * Math.min(1, height / WHOLE);
    }
    this.largest = { width: Math.max(this.largest.width, width), height: Math.max(this.largest.height, height) };
  }

  /**
   * Boxes in thousandths end anywhere up to 1000, so that on a small image each of them lies inside the image's pixel size
   * only by chance, width / 1000 · height / 1000 where they are spread evenly.
   * A box beyond 1000 that lies inside its image's pixel size tells more.
   * @returns null where nothing speaks for pixels
   */
  get suspicion(): { boxes: number; above: number; largest: ImageSize } | null {
    const { boxes, above, largest } = this;
    const unlikely = above > 0 || (boxes >= MIN_BOXES && this.chance < UNLIKELY);
    return this.inside && unlikely ? { boxes, above, largest } : null;
  }
}
