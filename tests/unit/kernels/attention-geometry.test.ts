import { describe, expect, it } from 'vitest';
import { MAX_TILED_HEAD, ROW_THREADS, tileGeometry, workgroupBytes } from '../../../src/kernels/attention-geometry.ts';

const HEADS = Array.from({ length: MAX_TILED_HEAD / 4 }, (_, i) => 4 * (i + 1));

describe.each([1, 2] as const)('tiles of attention with %i sums', (outputs) => {
  it.each(HEADS)('cover heads of %i within the limits of every device', (headDim) => {
    const geometry = tileGeometry(headDim, outputs);
    const { columns, width, stage } = geometry;
    expect(4 * columns * width).toBeGreaterThanOrEqual(headDim);
    expect(columns % stage).toBe(0);
    expect(ROW_THREADS * columns).toBeLessThanOrEqual(256);
    expect(workgroupBytes(geometry)).toBeLessThanOrEqual(16384);
  });

  it('leave at most a tenth of the threads idle for the heads of published models', () => {
    for (const headDim of [64, 72, 80, 96, 128, 256]) {
      const { columns, width } = tileGeometry(headDim, outputs);
      expect(headDim / (4 * columns * width), `${headDim}`).toBeGreaterThanOrEqual(0.9);
    }
  });

  it('hold no more sums than registers allow', () => {
    for (const headDim of HEADS) expect(tileGeometry(headDim, outputs).width).toBeLessThanOrEqual(outputs === 2 && headDim <= 128 ? 1 : 2);
  });
});
