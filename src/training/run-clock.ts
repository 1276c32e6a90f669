/** A run's time: what training took, how often to save, how long it will still take. Pauses do not count. */

/** The state is stored at least this often, unless storing takes long: then it may take up 1/20 of the time. */
const SAVE_EVERY_MS = 30_000;
const SAVE_SHARE = 20;
/** Weight of the newest step in the running mean. */
const NEWEST_SHARE = 0.1;

export class RunClock {
  private mark = 0;
  private savedAt = 0;
  private saveEvery = SAVE_EVERY_MS;
  /** Since the last finished step. */
  private sinceStep = 0;
  private meanStep: number | null = null;
  private lastValidation = 0;

  /** @param now milliseconds; never goes back */
  constructor(private readonly now: () => number) {}

  /** Begins, or goes on after a pause. */
  start(): void {
    this.mark = this.savedAt = this.now();
  }

  /** Milliseconds of training since the last call of `training` or `other`. */
  training(): number {
    const passed = this.other();
    this.sinceStep += passed;
    return passed;
  }

  /** Milliseconds of anything else since the last call. */
  other(): number {
    const now = this.now();
    const passed = now - this.mark;
    this.mark = now;
    return passed;
  }

  /** Keeps a running mean of the time from one finished step to the next. */
  stepDone(): void {
    this.meanStep = this.meanStep === null ? this.sinceStep : (1 - NEWEST_SHARE) * this.meanStep + NEWEST_SHARE * this.sinceStep;
    this.sinceStep = 0;
  }

  validationTook(milliseconds: number): void {
    this.lastValidation = milliseconds;
  }

  /** Notes that the state has just been stored, and what that took. */
  saved(milliseconds: number): void {
    this.savedAt = this.now();
    this.saveEvery = Math.max(SAVE_EVERY_MS, SAVE_SHARE * milliseconds);
  }

  get saveOverdue(): boolean {
    return this.now() - this.savedAt >= this.saveEvery;
  }

  /** Seconds for so many more steps and validations; null before the first step. */
  secondsLeft(steps: number, validations: number): number | null {
    return this.meanStep === null ? null : (steps * this.meanStep + validations * this.lastValidation) / 1000;
  }
}
