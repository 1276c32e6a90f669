/** Speed over the last seconds, so that it follows the connection and not its history. */
const WINDOW_MS = 8000;
/** Before this there is nothing to tell. */
const LEAST_MS = 1000;

export class Rate {
  private readonly marks: { at: number; done: number }[] = [];

  /**
   * @param done all that is done at `now`, in milliseconds
   * @returns per second; null until there is something to tell
   */
  add(done: number, now: number): number | null {
    this.marks.push({ at: now, done });
    while (this.marks.length > 2 && this.marks[0].at < now - WINDOW_MS) this.marks.shift();
    const [first] = this.marks;
    const passed = now - first.at;
    return passed < LEAST_MS || done <= first.done ? null : ((done - first.done) * 1000) / passed;
  }
}
