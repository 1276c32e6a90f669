/** Rotary tables and interpolated position indices, computed on the CPU: shader sin and cos may be far less exact than float32. */
import type { Qwen3VLConfig } from '../families/qwen3-vl/config.ts';
import type { GridTHW } from '../processing/types.ts';

/** cos and sin, [rows, headDim / 2] each. */
export interface RotaryValues {
  cos: Float32Array<ArrayBuffer>;
  sin: Float32Array<ArrayBuffer>;
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

/**
 * Tables of the decoder.
 * @param positionIds 3 × rows, axis by axis
 */
export function textRotary(config: Pick<Qwen3VLConfig, 'headDim' | 'ropeTheta' | 'mropeSection'>, positionIds: Int32Array, rows: number): RotaryValues {
  const half = config.headDim / 2;
  const frequencies = inverseFrequencies(config.ropeTheta, config.headDim);
  const axes = Array.from({ length: half }, (_, j) => interleavedAxis(j, config.mropeSection));
  return fill(rows, half, (row, j) => Math.fround(positionIds[axes[j] * rows + row] * frequencies[j]));
}

/** Patch rows and columns of all images in merge-block order (2 × 2 blocks stay together). */
export function patchCoordinates(grids: readonly GridTHW[], merge: number): { rows: Int32Array; columns: Int32Array } {
  const total = grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
  const rows = new Int32Array(total);
  const columns = new Int32Array(total);
  let at = 0;
  for (const [t, h, w] of grids) {
    for (let frame = 0; frame < t; frame++) {
      for (let blockRow = 0; blockRow < h; blockRow += merge) {
        for (let blockColumn = 0; blockColumn < w; blockColumn += merge) {
          for (let dr = 0; dr < merge; dr++) {
            for (let dc = 0; dc < merge; dc++, at++) {
              rows[at] = blockRow + dr;
              columns[at] = blockColumn + dc;
            }
          }
        }
      }
    }
  }
  return { rows, columns };
}

/** Theta of the vision tower; fixed in the architecture. */
const VISION_THETA = 10000;

/** Tables of the vision tower: the first half of the frequencies by patch row, the second by column. */
export function visionRotary(config: Pick<Qwen3VLConfig, 'visionHeadDim' | 'spatialMergeSize'>, grids: readonly GridTHW[]): RotaryValues {
  const half = config.visionHeadDim / 2;
  const frequencies = inverseFrequencies(VISION_THETA, half);
  const quarter = frequencies.length;
  const { rows, columns } = patchCoordinates(grids, config.spatialMergeSize);
  return fill(rows.length, half, (row, j) => Math.fround((j < quarter ? rows[row] : columns[row]) * frequencies[j % quarter]));
}

/** First and one-past-last patch of each patch's own frame, interleaved: [patches, 2]. */
export function patchBounds(grids: readonly GridTHW[]): Int32Array<ArrayBuffer> {
  const total = grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0);
  const bounds = new Int32Array(total * 2);
  let at = 0;
  for (const [t, h, w] of grids) {
    for (let frame = 0; frame < t; frame++) {
      const first = at;
      for (const last = first + h * w; at < last; at++) {
        bounds[2 * at] = first;
        bounds[2 * at + 1] = last;
      }
    }
  }
  return bounds;
}

/** Bilinear corners in the learned position grid: four indices and four shares per patch. */
export function interpolatedPositions(config: Pick<Qwen3VLConfig, 'positionGridSize' | 'spatialMergeSize'>, grids: readonly GridTHW[]): { indices: Int32Array<ArrayBuffer>; shares: Float32Array<ArrayBuffer> } {
  const side = config.positionGridSize;
  const { rows, columns } = patchCoordinates(grids, config.spatialMergeSize);
  const indices = new Int32Array(rows.length * 4);
  const shares = new Float32Array(rows.length * 4);
  let at = 0;
  for (const [t, h, w] of grids) {
    const vertical = spread(h, side);
    const horizontal = spread(w, side);
    for (const last = at + t * h * w; at < last; at++) {
      const y = vertical[rows[at]];
      const x = horizontal[columns[at]];
      const top = Math.trunc(y);
      const left = Math.trunc(x);
      const bottom = Math.min(top + 1, side - 1);
      const right = Math.min(left + 1, side - 1);
      const dy = Math.fround(y - top);
      const dx = Math.fround(x - left);
      indices.set([top * side + left, top * side + right, bottom * side + left, bottom * side + right], at * 4);
      shares.set([(1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx], at * 4);
    }
  }
  return { indices, shares };
}

/** count values evenly from 0 to side − 1 in float32, counted from the nearer end as PyTorch's linspace does. */
function spread(count: number, side: number): Float32Array {
  const end = side - 1;
  const step = count > 1 ? Math.fround(end / (count - 1)) : 0;
  const half = Math.floor(count / 2);
  return Float32Array.from({ length: count }, (_, i) => (i < half || count === 1 ? Math.fround(step * i) : Math.fround(end - Math.fround(step * (count - 1 - i)))));
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
