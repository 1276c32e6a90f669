import { describe, expect, it } from 'vitest';
import { formatFigure, median, rowCells, timeMedian } from '../../../bench/result.ts';

describe('bench results', () => {
  it('takes the middle value', () => {
    expect(median([5, 1, 100])).toBe(5);
    expect(median([4, 1, 2, 100])).toBe(3);
    expect(() => median([])).toThrow('the median of nothing');
  });

  it('warms up once and keeps to its bounds', async () => {
    let calls = 0;
    await timeMedian(async () => void calls++, { minMs: 0, minRuns: 3, maxRuns: 10 });
    expect(calls).toBe(4);
    calls = 0;
    await timeMedian(async () => void calls++, { minMs: 60_000, minRuns: 3, maxRuns: 6 });
    expect(calls).toBe(7);
  });

  it('formats rows', () => {
    expect([1234.5, 12.345, 0.012345, 0].map(formatFigure)).toEqual(['1235', '12.3', '0.0123', '0']);
    const row = { group: 'g', name: 'n', shape: '2 × 2', ms: 1.5, value: 3, unit: 'GFLOP/s', ratio: 2 };
    expect(rowCells(row)).toEqual(['n', '2 × 2', '1.5', '3 GFLOP/s', '2.00 ×']);
    expect(rowCells({ ...row, ratio: 'baseline' })[4]).toBe('baseline');
    expect(rowCells({ ...row, ms: null, unit: '', ratio: null })).toEqual(['n', '2 × 2', '', '3', '']);
  });
});
