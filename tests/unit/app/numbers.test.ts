import { describe, expect, it } from 'vitest';
import { formatAge, formatBytes, formatCompact, formatDuration, formatMetric, formatPercent, formatSetting, formatTick } from '../../../src/app/format/numbers.ts';

describe('formatMetric', () => {
  it.each([
    [0, '0'],
    [0.1814, '0.181'],
    [7.6, '7.600'],
    [42.123, '42.12'],
    [312.47, '312.5'],
    [1840.4, '1,840'],
    [-0.25, '-0.250'],
  ])('%d is %s', (value, text) => expect(formatMetric(value)).toBe(text));

  it('never shows a small number as zero', () => {
    for (const value of [9e-4, 2e-5, 1.234e-8, -3e-6]) expect(Number(formatMetric(value))).toBeCloseTo(value, 10);
    expect(formatMetric(2e-5)).toBe('2e-5');
  });

  it('shows what is no number as a dash', () => {
    for (const value of [null, undefined, NaN, Infinity]) expect(formatMetric(value)).toBe('–');
  });
});

describe('formatSetting', () => {
  it.each([
    [2e-3, '2e-3'],
    [1.5e-4, '1.5e-4'],
    [1e-8, '1e-8'],
    [0.05, '0.05'],
    [0.999, '0.999'],
    [512, '512'],
    [4294967295, '4.294967e9'],
    [0, '0'],
    [-1, '-1'],
  ])('%d is %s', (value, text) => expect(formatSetting(value)).toBe(text));

  it('reads back as the same value for everyday settings', () => {
    for (const value of [3e-4, 1.25e-5, 0.1, 0.95, 64, 2048, 42]) expect(Number(formatSetting(value))).toBe(value);
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0.0 s'],
    [0.0042, '4.2 ms'],
    [0.06, '60 ms'],
    [0.4, '0.4 s'],
    [2, '2.0 s'],
    [9.96, '10 s'],
    [42.4, '42 s'],
    [59.7, '1 min 00 s'],
    [130, '2 min 10 s'],
    [3599.8, '1 h 00 min'],
    [11_100, '3 h 05 min'],
    [187_200, '2 d 4 h'],
  ])('%d s is %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  it('refuses nonsense', () => {
    expect(formatDuration(-1)).toBe('–');
    expect(formatDuration(NaN)).toBe('–');
  });
});

describe('the other formats', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [5_050_000, '5.05 MB'],
    [41_040_000, '41 MB'],
    [36_800_000, '36.8 MB'],
    [999_960, '1 MB'],
    [2 ** 32, '4.29 GB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it('shortens large counts', () => {
    expect(formatCompact(2_512_384)).toBe('2.5\u2009M');
    expect(formatCompact(195_200)).toBe('195\u2009k');
    expect(formatCompact(999_999)).toBe('1\u2009M');
    expect(formatCompact(640)).toBe('640');
  });

  it('tells ages in whole units', () => {
    expect(formatAge(-50)).toBe('0 s');
    expect(formatAge(9_400)).toBe('9 s');
    expect(formatAge(125_000)).toBe('2 min');
  });

  it('gives neighbouring ticks different words', () => {
    for (const step of [2.5, 0.25, 0.1, 0.05, 20]) {
      const words = [0, 1, 2, 3, 4].map((i) => formatTick(i * step, step));
      expect(new Set(words).size).toBe(5);
      words.forEach((word, i) => expect(Number(word)).toBeCloseTo(i * step, 6));
    }
  });

  it('rounds percent', () => expect(formatPercent(0.238)).toBe('24 %'));
});
