/** Parquet's hybrid of run lengths and packed bits: levels of nesting, and indices into a dictionary. */
import { Damage } from './damage.ts';

/** More bits than any level or dictionary of ours needs; they still fit a number beside seven others. */
const MAX_WIDTH = 24;

/**
 * @param width bits of a value
 * @returns exactly `count` values
 * @throws Damage where the bytes end before, or hold a longer run than values are left
 */
export function readRuns(bytes: Uint8Array, width: number, count: number): Uint32Array {
  if (width > MAX_WIDTH) throw new Damage(`values of ${width} bits are not read, at most ${MAX_WIDTH} are`);
  const values = new Uint32Array(count);
  if (width === 0) return values;
  let at = 0;
  let filled = 0;
  const next = (): number => {
    if (at >= bytes.length) throw new Damage(`${filled} of ${count} values are there`);
    return bytes[at++];
  };
  while (filled < count) {
    const header = varint(next);
    if (header & 1) {
      // Groups of eight; what is beyond the last value fills the group up.
      const packed = Math.min(count - filled, (header >>> 1) * 8);
      const end = at + (header >>> 1) * width;
      let held = 0;
      let bits = 0;
      for (let i = 0; i < packed; i++) {
        while (bits < width) {
          held |= next() << bits;
          bits += 8;
        }
        values[filled++] = held & (2 ** width - 1);
        held >>>= width;
        bits -= width;
      }
      at = Math.min(end, bytes.length);
    } else {
      const run = header >>> 1;
      let value = 0;
      for (let shift = 0; shift < width; shift += 8) value |= next() << shift;
      if (run > count - filled) throw new Damage(`a run of ${run} values stands where ${count - filled} are left`);
      values.fill(value, filled, filled + run);
      filled += run;
    }
  }
  return values;
}

function varint(next: () => number): number {
  let value = 0;
  for (let shift = 0; shift < 32; shift += 7) {
    const byte = next();
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value >>> 0;
  }
  throw new Damage('a run has no length');
}
