/** The 256 values of bitsandbytes' signed 8-bit "dynamic" code, which stores the NF4 scales. */

let cached: Float32Array | null = null;

/**
 * 0, 1 and, for each of 7 decades 10^-6 … 10^0, ± the centres of 2^i equal parts of [0.1, 1], ascending.
 * Float32 step by step, because the published tables were built that way and codes are compared bit by bit.
 */
export function dynamicMap(): Float32Array {
  if (cached) return cached;
  const f32 = Math.fround;
  const values = [0, 1];
  for (let i = 0; i < 7; i++) {
    const edges = linspace(0.1, 1, 2 ** i + 1);
    const decade = f32(10 ** (i - 6));
    for (let k = 0; k + 1 < edges.length; k++) {
      const value = f32(decade * f32(f32(edges[k] + edges[k + 1]) / 2));
      values.push(value, -value);
    }
  }
  cached = Float32Array.from(values).sort();
  return cached;
}

/** PyTorch's linspace counts from whichever end is nearer and rounds once per value; the last bit depends on both. */
function linspace(start: number, end: number, count: number): Float32Array {
  const first = Math.fround(start);
  const last = Math.fround(end);
  const step = Math.fround((last - first) / (count - 1));
  const half = Math.floor(count / 2);
  return Float32Array.from({ length: count }, (_, i) => (i < half ? first + step * i : last - step * (count - 1 - i)));
}

/** Thresholds half way between neighbours of a sorted code, in float32. */
export function midpoints(code: Float32Array): Float32Array {
  const middle = new Float32Array(code.length - 1);
  for (let i = 0; i < middle.length; i++) middle[i] = Math.fround(code[i] + code[i + 1]) / 2;
  return middle;
}

/** Number of thresholds strictly below value. */
export function countBelow(thresholds: Float32Array, value: number): number {
  let low = 0;
  let high = thresholds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (thresholds[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const bits = new Uint32Array(1);
const asFloat = new Float32Array(bits.buffer);
/** For each upper half of a float32, the thresholds below the least value that has it. */
let counts: { of: Float32Array; below: Uint8Array } | null = null;

/** As countBelow with the thresholds between the dynamic code's values, for which most of the search is done beforehand. */
export function dynamicCodeOf(value: number): number {
  counts ??= countDynamic();
  const { of, below } = counts;
  asFloat[0] = value;
  let count = below[bits[0] >>> 16];
  while (count < of.length && of[count] < value) count++;
  return count;
}

function countDynamic(): { of: Float32Array; below: Uint8Array } {
  const of = midpoints(dynamicMap());
  const least = new Float32Array(1);
  const leastBits = new Uint32Array(least.buffer);
  const below = Uint8Array.from({ length: 2 ** 16 }, (_, half) => {
    // Of negative values the least has all lower bits set.
    leastBits[0] = half < 2 ** 15 ? half << 16 : (half << 16) | 0xffff;
    return Number.isNaN(least[0]) ? 0 : countBelow(of, least[0]);
  });
  return { of, below };
}
