import { describe, expect, it } from 'vitest';
import { epochOrder, selectIndices, validationIndices } from '../../../src/data/sampler.ts';

describe('epochOrder', () => {
  it('is fixed by seed and epoch', () => {
    expect([...epochOrder(8, 42, 0)]).toEqual([...epochOrder(8, 42, 0)]);
    const orders = [epochOrder(50, 42, 0), epochOrder(50, 42, 1), epochOrder(50, 43, 0)].map(String);
    expect(new Set(orders).size).toBe(3);
    expect([...epochOrder(50, 42, 0)].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  it('never changes: stored runs depend on it', () => {
    expect([...epochOrder(10, 42, 0)]).toEqual([4, 2, 5, 1, 3, 0, 9, 7, 6, 8]);
  });
});

describe('validationIndices', () => {
  it('keeps the asked share, at least one, never all', () => {
    expect(validationIndices(100, 0.1, 1)).toHaveLength(10);
    expect(validationIndices(5, 0.01, 1)).toHaveLength(1);
    expect(validationIndices(3, 0.9, 1)).toHaveLength(2);
    expect(validationIndices(1, 0.5, 1)).toEqual([]);
    expect(validationIndices(10, 0, 1)).toEqual([]);
    expect(validationIndices(100, 0.1, 1)).not.toEqual(validationIndices(100, 0.1, 2));
  });
});

describe('selectIndices', () => {
  it('takes all, the first, or a fixed random choice', () => {
    expect(selectIndices(3, 0, 'random', 1)).toEqual([0, 1, 2]);
    expect(selectIndices(3, 9, 'random', 1)).toEqual([0, 1, 2]);
    expect(selectIndices(9, 2, 'first', 1)).toEqual([0, 1]);
    const chosen = selectIndices(100, 10, 'random', 1);
    expect(chosen).toEqual(selectIndices(100, 10, 'random', 1));
    expect(new Set(chosen).size).toBe(10);
    expect(chosen).not.toEqual(selectIndices(100, 10, 'first', 1));
  });
});
