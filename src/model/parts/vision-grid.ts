/** Where patches lie in their pictures: coordinates, segments, and corners in a table of learned positions. */
import type { GridTHW } from '../../families/media.ts';

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

/** Bilinear corners in the learned position grid of `side` × `side`: four indices and four shares per patch. */
export function interpolatedPositions(side: number, merge: number, grids: readonly GridTHW[]): { indices: Int32Array<ArrayBuffer>; shares: Float32Array<ArrayBuffer> } {
  const { rows, columns } = patchCoordinates(grids, merge);
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
