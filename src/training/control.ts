/** The page's hand on a running training: pause, continue, stop and save, obeyed between micro-batches. */

interface SaveRequest {
  resolve: (step: number) => void;
  reject: (error: unknown) => void;
}

export class RunControl {
  private paused = false;
  private stops = 0;
  private saves: SaveRequest[] = [];
  private wake: (() => void)[] = [];

  pause(): void {
    if (this.stops === 0) this.paused = true;
  }

  continue(): void {
    this.paused = false;
    this.notify();
  }

  /** Ends the run at the next micro-batch; also wakes a paused one. During a validation it ends that first. */
  stop(): void {
    this.stops += 1;
    this.paused = false;
    this.notify();
  }

  /** Resolves with the step that was stored. */
  saveNow(): Promise<number> {
    const saved = new Promise<number>((resolve, reject) => this.saves.push({ resolve, reject }));
    this.notify();
    return saved;
  }

  get pauseRequested(): boolean {
    return this.paused;
  }

  get stopRequested(): boolean {
    return this.stops > 0;
  }

  get stopCount(): number {
    return this.stops;
  }

  get saveRequested(): boolean {
    return this.saves.length > 0;
  }

  /** Resolves when the page says continue, stop or save. */
  async signal(): Promise<void> {
    if (!this.paused || this.saveRequested) return;
    await new Promise<void>((resolve) => this.wake.push(resolve));
  }

  /** Answers all waiting save requests with one save. */
  async answerSaves(save: () => Promise<number>): Promise<void> {
    const waiting = this.saves;
    this.saves = [];
    try {
      const step = await save();
      for (const { resolve } of waiting) resolve(step);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
      throw error;
    }
  }

  /** Tells everyone who waits for a save that there will be none. */
  refuseSaves(error: unknown): void {
    for (const { reject } of this.saves) reject(error);
    this.saves = [];
  }

  private notify(): void {
    const waiting = this.wake;
    this.wake = [];
    for (const resolve of waiting) resolve();
  }
}
