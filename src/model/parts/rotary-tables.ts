/** Rotary tables, computed on the CPU: shader sin and cos may be far less exact than float32. */
import type { GridTHW } from '../../families/media.ts';
import { patchCoordinates } from './vision-grid.ts';

/** cos and sin, [rows, rotary dimensions / 2] each. */
export interface RotaryValues {
  cos: Float32Array<ArrayBuffer>;
  sin: Float32Array<ArrayBuffer>;
}

/** How a decoder turns three-axis positions into angles. */
export interface TextRotary {
  /** Dimensions of a head that are rotated, from the first on. */
  dim: number;
  theta: number;
  /** Frequencies given to time, height and width; they sum to dim / 2. */
  section: readonly [number, number, number];
  /** T H W T H W … with the rest left to time, instead of one section after the other. */
  interleaved: boolean;
}

/** 1 / theta^(2i / dim) for i < dim / 2, rounded to float32 as PyTorch stores them. */
export function inverseFrequencies(theta: number, dim: number): Float32Array {
  return Float32Array.from({ length: dim / 2 }, (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / dim)));
}

/** Which axis (0 time, 1 height, 2 width) drives frequency j when the axes are interleaved T H W T H W …, the rest is time. */
export function interleavedAxis(j: number, section: readonly number[]): 0 | 1 | 2 {
  const axis = j % 3;
  return axis !== 0 && j < section[axis] * 3 ? (axis as 1 | 2) : 0;
}

/** Which axis drives frequency j when each has a section of its own. */
export function contiguousAxis(j: number, [time, height]: readonly number[]): 0 | 1 | 2 {
  return j < time ? 0 : j < time + height ? 1 : 2;
}

/**
 * Tables of the decoder.
 * @param positionIds 3 × rows, axis by axis
 */
export function textRotary({ dim, theta, section, interleaved }: TextRotary, positionIds: Int32Array, rows: number): RotaryValues {
  const half = dim / 2;
  const frequencies = inverseFrequencies(theta, dim);
  const axes = Array.from({ length: half }, (_, j) => (interleaved ? interleavedAxis(j, section) : contiguousAxis(j, section)));
  return fill(rows, half, (row, j) => Math.fround(positionIds[axes[j] * rows + row] * frequencies[j]));
}

/** Theta of the vision tower; fixed in the architecture. */
const VISION_THETA = 10000;

/** Tables of the vision tower: the first half of the frequencies by patch row, the second by column. */
export function visionRotary(headDim: number, merge: number, grids: readonly GridTHW[]): RotaryValues {
  const half = headDim / 2;
  const frequencies = inverseFrequencies(VISION_THETA, half);
  const quarter = frequencies.length;
  const { rows, columns } = patchCoordinates(grids, merge);
  return fill(rows.length, half, (row, j) => Math.fround((j < quarter ? rows[row] : columns[row]) * frequencies[j % quarter]));
}

function fill(rows: number, half: number, angle: (row: number, j: number) => number): RotaryValues {
  const cos = new Float32Array(rows * half);
  const sin = new Float32Array(rows * half);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < half; j++) {
      const value = angle(row, j);
      cos[row * half + j] = Math.cos(value);
      sin[row * half + j] = Math.sin(value);
    }
  }
  return { cos, sin };
}
