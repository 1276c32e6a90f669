/** Images of training samples that completions refer to, read from storage once. */
import { SvelteMap, SvelteSet } from 'svelte/reactivity';
import { readSampleImage } from '../../storage/runs.ts';

/** More than these are forgotten again, oldest first. */
const MOST = 200;

export class SampleImages {
  readonly #images = new SvelteMap<number, Blob>();
  readonly #asked = new SvelteSet<number>();

  constructor(private readonly runId: string) {}

  /** The image, or null while it is being read and where none was kept. */
  get(sample: number): Blob | null {
    const known = this.#images.get(sample);
    if (!known) this.#read(sample);
    return known ?? null;
  }

  /** Asks storage outside of any effect that happens to be running. */
  #read(sample: number): void {
    queueMicrotask(() => {
      if (this.#asked.has(sample)) return;
      this.#asked.add(sample);
      // A missing picture leaves its place empty; the answers beside it matter more.
      readSampleImage(this.runId, sample).then((image) => image && this.#keep(sample, image), () => undefined);
    });
  }

  #keep(sample: number, image: Blob): void {
    this.#images.set(sample, image);
    if (this.#images.size <= MOST) return;
    const [oldest] = this.#images.keys();
    this.#images.delete(oldest);
    this.#asked.delete(oldest);
  }
}
