/** Axes: ranges, round ticks, and when a logarithm helps. */

export interface Scale {
  low: number;
  high: number;
  log: boolean;
  ticks: number[];
}

/** Spans of two powers of ten and more read better on a log axis. */
const LOG_SPAN = 100;

/** Whether a log axis suits: all values positive and far apart. Rates that decay to zero are the exception: their shape is linear. */
export function suitsLog(metric: string, values: Iterable<number>): boolean {
  if (/learning_rate|(?:^|\W)lr$/.test(metric)) return false;
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > 0 && high / low >= LOG_SPAN;
}

/** A scale over values with a little air; values without a logarithm are ignored on a log axis. */
export function valueScale(values: Iterable<number>, log: boolean): Scale {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (log && value <= 0) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return { low: 0, high: 1, log: false, ticks: [0, 0.5, 1] };
  if (log) {
    const range = { low: low / 1.2, high: high * 1.2 };
    return { ...range, log, ticks: logTicks(range.low, range.high) };
  }
  // Rounding noise of a constant is no curve.
  const constant = high - low <= 1e-5 * Math.max(Math.abs(high), Math.abs(low));
  const air = constant ? Math.abs(high) * 0.1 || 1 : (high - low) * 0.06;
  const range = { low: low >= 0 && low - air < 0 ? 0 : low - air, high: high + air };
  return { ...range, log, ticks: linearTicks(range.low, range.high, 6) };
}

/** A scale over steps: exact ends, whole ticks unless told otherwise. */
export function stepScale(low: number, high: number, whole = true): Scale {
  const end = high > low ? high : low + 1;
  return { low, high: end, log: false, ticks: linearTicks(low, end, 8).filter((tick) => !whole || Number.isInteger(tick)) };
}

/** Round numbers 1, 2, 5 × 10ⁿ apart. */
export function linearTicks(low: number, high: number, about: number): number[] {
  const rough = (high - low) / about;
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const gap = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999) ?? power * 10;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / gap - 1e-9); i * gap <= high + gap * 1e-9; i += 1) ticks.push(Number((i * gap).toPrecision(12)));
  return ticks;
}

/** Round numbers on a log axis: 1, 2, 5 per power of ten, only powers where there are many. */
function logTicks(low: number, high: number): number[] {
  const powers = Math.log10(high / low);
  const mantissas = powers > 3.5 ? [1] : [1, 2, 5];
  const stride = Math.max(1, Math.round(powers / 8));
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    if (power % stride !== 0) continue;
    for (const mantissa of mantissas) {
      const tick = Number(`${mantissa}e${power}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** Position of a value between 0 and 1; null where the axis has no place for it. */
export function place(scale: Scale, value: number): number | null {
  if (!scale.log) return (value - scale.low) / (scale.high - scale.low);
  return value > 0 ? Math.log(value / scale.low) / Math.log(scale.high / scale.low) : null;
}

/** Axis labels: as few digits as tell the ticks apart; on a log axis each tick has its own. */
export function tickLabel(value: number, scale: Pick<Scale, 'ticks' | 'log'>): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const largest = scale.log ? size : Math.max(...scale.ticks.map(Math.abs));
  if (size >= 1e6 || largest < 1e-3) return value.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e');
  if (size >= 1e4 && value % 1000 === 0) return `${value / 1000}k`;
  if (scale.log) return String(value);
  const gap = scale.ticks.length > 1 ? scale.ticks[1] - scale.ticks[0] : size;
  return value.toFixed(Math.max(0, Math.min(6, Math.ceil(-Math.log10(gap) - 1e-9))));
}
