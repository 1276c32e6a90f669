/** Attention windows of Qwen2.5-VL's vision tower: patches are laid out window by window, so that each window is one stretch of rows. */
import type { GridTHW } from '../media.ts';
import type { Qwen25VLConfig } from './config.ts';

export interface WindowOrder {
  /** Merged patch that stands at each place of the new order, counted over all pictures. A merged patch is spatialMergeSize² rows. */
  order: Int32Array<ArrayBuffer>;
  /** Place of each merged patch: `inverse[order[i]] = i`; the merger's output goes back by it. */
  inverse: Int32Array<ArrayBuffer>;
  /** Rows (patches) at which windows begin, and the end of the last one: ascending, from 0. */
  windowBounds: Int32Array;
}

/**
 * The order in which `get_window_index` of transformers lays the patches: picture by picture, frame by frame, then windows
 * row by row, and inside each the rows of its merged patches. Windows start at the top left, so those at the right and
 * bottom edges may be smaller; each frame stays one stretch.
 * @param grids patches, t × h × w of each picture or clip; h and w are multiples of spatialMergeSize
 */
export function windowOrder(grids: readonly GridTHW[], { windowSize, spatialMergeSize, patchSize }: Pick<Qwen25VLConfig, 'windowSize' | 'spatialMergeSize' | 'patchSize'>): WindowOrder {
  const side = Math.floor(windowSize / spatialMergeSize / patchSize);
  const unit = spatialMergeSize ** 2;
  const count = grids.reduce((sum, [t, h, w]) => sum + (t * h * w) / unit, 0);
  const order = new Int32Array(count);
  const bounds = [0];
  let at = 0;
  let first = 0;
  for (const [frames, gridHeight, gridWidth] of grids) {
    const rows = gridHeight / spatialMergeSize;
    const columns = gridWidth / spatialMergeSize;
    for (let frame = 0; frame < frames; frame++, first += rows * columns) {
      for (let top = 0; top < rows; top += side) {
        for (let left = 0; left < columns; left += side) {
          for (let y = top; y < Math.min(top + side, rows); y++) {
            for (let x = left; x < Math.min(left + side, columns); x++) order[at++] = first + y * columns + x;
          }
          bounds.push(at * unit);
        }
      }
    }
  }
  const inverse = new Int32Array(count);
  order.forEach((patch, place) => (inverse[patch] = place));
  return { order, inverse, windowBounds: Int32Array.from(bounds) };
}
