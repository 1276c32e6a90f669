/** What the device was measured to do, by the kind of work: in a product at its opening, in trials, and in the runs themselves. */
import type { TrainRow } from '../protocol/log.ts';
import type { Work, WorkSpeed } from '../training/work.ts';

/** Rows whose median counts. */
const ROWS = 5;

export class MeasuredSpeed {
  private speed: WorkSpeed | null = null;
  private work: Work | null = null;
  private rows: WorkSpeed[] = [];
  private compiled = false;

  /** Null where nothing is known yet. */
  get now(): WorkSpeed | null {
    return this.speed;
  }

  /** @param speed of one product; a trial or a run knows better */
  opened(speed: WorkSpeed | null): void {
    this.speed ??= speed;
  }

  tried(speed: WorkSpeed): void {
    this.speed = speed;
  }

  /** @param work of an average step of the run that begins */
  runs(work: Work): void {
    this.work = work;
    this.rows = [];
    this.compiled = false;
  }

  /** @param row of the run that was begun last */
  heard({ step_time_ms, generate_ms, score_ms }: TrainRow): void {
    // In the steps of the first row kernels are compiled.
    const { compiled } = this;
    this.compiled = true;
    if (!this.work || !compiled) return;
    const milliseconds = (value: unknown) => (typeof value === 'number' ? value : 0);
    const [sampling, scoring] = [milliseconds(generate_ms), milliseconds(score_ms)];
    const training = step_time_ms - sampling - scoring;
    if (!(training > 0)) return;
    const { passes, decoding } = this.work;
    this.rows = [...this.rows, { passes: (passes * 1000) / training, decoding: sampling > 0 ? (decoding * 1000) / sampling : null }].slice(-ROWS);
    const decoded = this.rows.flatMap((row) => row.decoding ?? []);
    this.speed = { passes: median(this.rows.map((row) => row.passes)), decoding: decoded.length > 0 ? median(decoded) : (this.speed?.decoding ?? null) };
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
