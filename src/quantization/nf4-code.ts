/** The NF4 code: its values, and the one that stands for a weight. */
import { midpoints } from './dynamic-map.ts';

/** Elements that share one scale. */
export const NF4_BLOCK = 64;
/** The 16 values of the NF4 code. */
export const NF4_CODE = Float32Array.of(
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
);

/** Half way between neighbours of the code. */
export const CODE_THRESHOLDS = midpoints(NF4_CODE);
/** Below this a reciprocal would overflow float32. */
export const SMALLEST_SCALE = Math.fround(1e-38);

/**
 * [-1, 1] cut into cells of 1/32, narrower than the narrowest gap between thresholds, so each cell holds at most one:
 * a code is the cell's count of lower thresholds plus one comparison.
 */
const CELLS = 67;
const CELL_CODE = new Uint8Array(CELLS);
const CELL_THRESHOLD = new Float32Array(CELLS).fill(Infinity);
for (let cell = 0; cell < CELLS; cell++) {
  for (const threshold of CODE_THRESHOLDS) {
    const home = ((threshold + 1) * 32) | 0;
    if (home < cell) CELL_CODE[cell]++;
    else if (home === cell) CELL_THRESHOLD[cell] = threshold;
  }
}

/** What a block's weights are multiplied with, in float32. */
export function reciprocalOf(scale: number): number {
  return Math.fround(1 / (scale < SMALLEST_SCALE ? SMALLEST_SCALE : scale));
}

/** Number of thresholds strictly below a weight divided by its block's scale. @param reciprocal of the scale, see `reciprocalOf` */
export function codeOf(weight: number, reciprocal: number): number {
  const value = Math.fround(weight * reciprocal);
  const cell = ((value + 1) * 32) | 0;
  return CELL_CODE[cell] + (value > CELL_THRESHOLD[cell] ? 1 : 0);
}
