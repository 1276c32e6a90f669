/** Numbers as people read them: fixed width where they change, never a misleading 0.0000. */

const THIN = '\u2009';

/** Words for units of time; the dictionaries supply them. */
export interface TimeUnits {
  millisecond: string;
  second: string;
  minute: string;
  hour: string;
  day: string;
}

const ENGLISH_TIME: TimeUnits = { millisecond: 'ms', second: 's', minute: 'min', hour: 'h', day: 'd' };

/** Integers with thousands separators: 1,840. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Large counts in short: 195 k, 2.5 M, 7.1 B. */
export function formatCompact(value: number): string {
  const scale: [number, string][] = [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'k']];
  for (const [unit, name] of scale) {
    if (Math.abs(value) < unit * 0.9995) continue;
    const part = value / unit;
    return `${trimZeros(part >= 99.95 ? part.toFixed(0) : part.toFixed(1))}${THIN}${name}`;
  }
  return formatCount(value);
}

/** Losses, norms and scores with three decimals; tiny or huge ones as powers of ten; "–" for what is not a number. */
export function formatMetric(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-3 || size >= 1e6) return shortExponent(value, 2);
  if (size < 10) return value.toFixed(3);
  if (size < 100) return value.toFixed(2);
  if (size < 1000) return value.toFixed(1);
  return formatCount(value);
}

/** A metric with its sign: +0.812, −0.812, 0. */
export function formatSigned(value: number): string {
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${formatMetric(Math.abs(value))}`;
}

/** Settings such as learning rates: 2e-3, 1.5e-4, 0.05, 0.9, 512. Keeps every digit that matters. */
export function formatSetting(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 0.01 || size >= 1e9) return shortExponent(value, 6);
  return String(Number(value.toPrecision(9)));
}

/** Bytes in decimal units: 1.9 MB, 41 MB, 4 GB. */
export function formatBytes(bytes: number): string {
  if (!Number.isFinite(bytes) || bytes < 0) return '–';
  const names = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  while (size >= 999.5 && unit < names.length - 1) {
    size /= 1000;
    unit += 1;
  }
  const text = unit === 0 || size >= 99.95 ? size.toFixed(0) : size >= 9.995 ? size.toFixed(1) : size.toFixed(2);
  return `${trimZeros(text)} ${names[unit]}`;
}

/** Seconds in at most two units: 60 ms, 2.0 s, 42 s, 2 min 10 s, 3 h 05 min, 2 d 4 h. */
export function formatDuration(seconds: number, units: TimeUnits = ENGLISH_TIME): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds > 0 && seconds < 0.0995) return `${seconds < 0.00995 ? (seconds * 1000).toFixed(1) : Math.round(seconds * 1000)} ${units.millisecond}`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} ${units.second}`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} ${units.second}`;
  if (whole < 3600) return `${Math.floor(whole / 60)} ${units.minute} ${pad(whole % 60)} ${units.second}`;
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} ${units.hour} ${pad(minutes % 60)} ${units.minute}`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} ${units.day} ${hours % 24} ${units.hour}`;
}

/** A share of one as whole percent. */
export function formatPercent(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : '–';
}

/** Axis labels: as few digits as tell the ticks apart. */
export function formatTick(value: number, step: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-2 || size >= 1e6) return shortExponent(value, 2);
  if (size >= 1e3) return formatCompact(value);
  let decimals = 0;
  while (decimals < 4 && !isWhole(step * 10 ** decimals)) decimals += 1;
  return value.toFixed(decimals);
}

function shortExponent(value: number, digits: number): string {
  const [mantissa, exponent] = value.toExponential(digits).split('e');
  return `${trimZeros(mantissa)}e${exponent.replace('+', '')}`;
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** How long ago something was, in whole seconds or larger. */
export function formatAge(milliseconds: number, units: TimeUnits = ENGLISH_TIME): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  return seconds < 60 ? `${seconds} ${units.second}` : seconds < 3600 ? `${Math.floor(seconds / 60)} ${units.minute}` : formatDuration(seconds, units);
}

function isWhole(value: number): boolean {
  return Math.abs(value - Math.round(value)) < 1e-6;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
