import { expect, test } from 'vitest';
import { cascadeSum } from '../../../src/quantization/cascade-sum.ts';

// Whole numbers below 2^24 add without rounding, so any value left out or taken twice shows.
test.each([0, 1, 7, 8, 31, 32, 33, 511, 512, 513, 544, 5000, 8191, 8192, 8200, 70_001])('%i values are each added once', (length) => {
  const values = Float32Array.from({ length }, (_, i) => (i * 7) % 200);
  expect(cascadeSum(values)).toBe(values.reduce((sum, value) => sum + value, 0));
});

test('rounding stays far below that of adding one by one', () => {
  const values = new Float32Array(2 ** 20).fill(0.1);
  const exact = 2 ** 20 * Math.fround(0.1);
  const oneByOne = values.reduce((sum, value) => Math.fround(sum + value), 0);
  expect(Math.abs(cascadeSum(values) - exact) / exact).toBeLessThan(1e-6);
  expect(Math.abs(oneByOne - exact) / exact).toBeGreaterThan(1e-3);
});
