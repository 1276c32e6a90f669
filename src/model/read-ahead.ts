/** Reads what will be asked for next while the present is worked on. */

export interface Readable<T> {
  /** What reading it takes of memory. */
  bytes: number;
  read(): Promise<T>;
}

/** Bytes under way or waiting to be taken; one item may be larger. */
const AHEAD_BYTES = 32 * 2 ** 20;
/** Reading has a start-up time; several at once hide it for small items. */
const AT_ONCE = 8;

export class ReadAhead<T> {
  private readonly started = new Map<Readable<T>, Promise<T>>();
  private next = 0;
  private bytes = 0;

  /** Begins to read. @param items in the order in which they are taken */
  constructor(private readonly items: readonly Readable<T>[]) {
    this.start();
  }

  /** @throws what reading it throws */
  async take(item: Readable<T>): Promise<T> {
    // What is none of the items was not foreseen.
    const read = this.started.get(item) ?? item.read();
    try {
      return await read;
    } finally {
      if (this.started.delete(item)) this.bytes -= item.bytes;
      this.start();
    }
  }

  private start(): void {
    while (this.next < this.items.length && this.started.size < AT_ONCE) {
      const item = this.items[this.next];
      if (this.started.size > 0 && this.bytes + item.bytes > AHEAD_BYTES) return;
      this.next += 1;
      this.bytes += item.bytes;
      const read = item.read();
      // Whoever takes it hears of it.
      read.catch(() => undefined);
      this.started.set(item, read);
    }
  }
}
