/** What a benchmark measured, and its table. Pure: used in the page and at the terminal. */

export interface BenchRow {
  /** Rows of one group form one table. */
  group: string;
  /** What was measured: "NF4 linear, forward". */
  name: string;
  /** Sizes: "256 × 2048 × 2048"; '' when there are none. */
  shape: string;
  /** Median milliseconds of one call; null where time is not what was measured. */
  ms: number | null;
  /** The figure that matters, in `unit`. */
  value: number;
  unit: string;
  /** How many times better than the baseline it was measured beside; null where there is nothing to compare with. */
  ratio: number | 'baseline' | null;
}

/** Sent before the rows. */
export interface BenchDevice {
  adapter: string;
  features: string[];
  userAgent: string;
}

/** One run of the benchmark as it is kept. */
export interface BenchRun {
  time: string;
  browserVersion: string;
  device: BenchDevice;
  rows: BenchRow[];
}

/** Middle of the measured values; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('the median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Median milliseconds of `work`, warmed up once. `work` must not return before its result is there.
 * @param minMs measures at least this long in all, and at least `minRuns` times
 * @param warmUp false where everything that `work` compiles has run before
 */
export async function timeMedian(work: () => Promise<void>, { minMs = 500, minRuns = 5, maxRuns = 200, warmUp = true } = {}): Promise<number> {
  if (warmUp) await work();
  const times: number[] = [];
  const start = performance.now();
  while (times.length < maxRuns && (times.length < minRuns || performance.now() - start < minMs)) {
    const before = performance.now();
    await work();
    times.push(performance.now() - before);
  }
  return median(times);
}

/** Three significant digits, thousands kept: "1234", "12.3", "0.0123". */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Cells of one row: name, shape, ms, value with unit, ratio. */
export function rowCells({ name, shape, ms, value, unit, ratio }: BenchRow): string[] {
  return [name, shape, ms === null ? '' : formatFigure(ms), `${formatFigure(value)} ${unit}`.trimEnd(), typeof ratio === 'number' ? `${ratio.toFixed(2)} ×` : (ratio ?? '')];
}
