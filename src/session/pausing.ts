/** Work that can be held, let go on and ended between two of its steps. */
export class Pausing {
  stopped = false;
  paused = false;
  /** Told of each change. */
  onChange: () => void = () => undefined;
  private held = 0;
  private since = 0;
  private release: (() => void) | null = null;

  /** Milliseconds that the work has been held, until now. */
  get heldFor(): number {
    return this.held + (this.paused ? performance.now() - this.since : 0);
  }

  pause(paused: boolean): void {
    if (paused === this.paused || this.stopped) return;
    if (paused) this.since = performance.now();
    else this.held += performance.now() - this.since;
    this.paused = paused;
    if (!paused) this.release?.();
    this.onChange();
  }

  stop(): void {
    this.pause(false);
    this.stopped = true;
  }

  /** Waits while the work is held; false when it is to end. */
  async goOn(): Promise<boolean> {
    if (this.paused) await new Promise<void>((resolve) => (this.release = resolve));
    return !this.stopped;
  }
}
