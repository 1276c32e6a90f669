/** Float32 sums in the order of PyTorch's CPU kernel, so that the offset of double-quantised scales agrees to the last bit. */

/** Floats per vector register and registers summed side by side in that kernel. */
const LANES = 8;
const ROWS = 4;
const LEVELS = 4;

/**
 * Sum of float32 values, every partial sum rounded to float32, in cascade order: 8 lanes × 4 rows, each summed over 4 levels.
 * PyTorch splits the work over threads from 32,768 values on; there the last bit depends on its number of threads.
 */
export function cascadeSum(values: Float32Array): number {
  const vectors = Math.floor(values.length / LANES);
  const steps = Math.floor(vectors / ROWS);
  const partial = columnSums(values, steps, LANES * ROWS);
  for (let i = steps * LANES * ROWS; i < vectors * LANES; i++) partial[i % LANES] += values[i];
  for (let k = LANES; k < LANES * ROWS; k++) partial[k % LANES] += partial[k];
  let sum = 0;
  for (let i = vectors * LANES; i < values.length; i++) sum = Math.fround(sum + values[i]);
  for (let k = 0; k < LANES; k++) sum = Math.fround(sum + partial[k]);
  return sum;
}

/** Sums of each of `width` interleaved columns over `steps` rows, in chunks whose sums climb the levels like digits carry. */
function columnSums(values: Float32Array, steps: number, width: number): Float32Array {
  const power = Math.max(4, Math.floor(Math.ceil(Math.log2(Math.max(1, steps))) / LEVELS));
  const chunk = 2 ** power;
  const levels = Array.from({ length: LEVELS }, () => new Float32Array(width));
  let row = 0;
  while (row + chunk <= steps) {
    for (const end = row + chunk; row < end; row++) addRow(levels[0], values, row * width);
    for (let level = 1; level < LEVELS; level++) {
      addRow(levels[level], levels[level - 1], 0);
      levels[level - 1].fill(0);
      if (Math.floor(row / chunk ** level) % chunk !== 0) break;
    }
  }
  for (; row < steps; row++) addRow(levels[0], values, row * width);
  for (let level = 1; level < LEVELS; level++) addRow(levels[0], levels[level], 0);
  return levels[0];
}

function addRow(target: Float32Array, source: Float32Array, start: number): void {
  for (let k = 0; k < target.length; k++) target[k] += source[start + k];
}
