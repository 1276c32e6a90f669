/** Rotary angles and interpolated positions of Qwen3-VL, in doubles and without tensors. */
import type { Qwen3VLConfig } from '../../src/families/qwen3-vl/config.ts';

/** Patches: frames, rows, columns. */
export type Grid = readonly [t: number, h: number, w: number];

/** Theta of the vision tower; config.json does not name it. */
const VISION_THETA = 10000;

/** Angles [S, headDim / 2]: frequency j turns by the temporal position, or by height (j = 1, 4, …) or width (j = 2, 5, …) as far as their sections go. */
export function textAngles(positionIds: readonly (readonly number[])[], config: Pick<Qwen3VLConfig, 'headDim' | 'ropeTheta' | 'mropeSection'>): Float64Array {
  const half = config.headDim / 2;
  const axisOf = (j: number) => (j % 3 !== 0 && j < 3 * config.mropeSection[j % 3] ? j % 3 : 0);
  return Float64Array.from({ length: positionIds[0].length * half }, (_, at) => {
    const j = at % half;
    return positionIds[axisOf(j)][Math.floor(at / half)] * config.ropeTheta ** (-j / half);
  });
}

/** Row and column of each patch in the order of pixel rows: merge blocks row by row, patches row by row inside a block. */
export function mergeOrder([t, h, w]: Grid, merge: number): [row: number, column: number][] {
  const frame: [number, number][] = [];
  for (let blockRow = 0; blockRow < h; blockRow += merge) {
    for (let blockColumn = 0; blockColumn < w; blockColumn += merge) {
      for (let i = 0; i < merge ** 2; i++) frame.push([blockRow + Math.floor(i / merge), blockColumn + (i % merge)]);
    }
  }
  return Array.from({ length: t }, () => frame).flat();
}

/** Angles [patches, headDim / 2]: the first half of the frequencies turns by the row, the second by the column. */
export function visionAngles(order: readonly (readonly [number, number])[], headDim: number): Float64Array {
  const half = headDim / 2;
  const frequencies = half / 2;
  return Float64Array.from({ length: order.length * half }, (_, at) => {
    const j = at % half;
    const position = order[Math.floor(at / half)][j < frequencies ? 0 : 1];
    return position * VISION_THETA ** (-(j % frequencies) / frequencies);
  });
}

/** Four corners per patch on the learned grid of `side` × `side`: table rows and their shares (bilinear, ends on ends). */
export function interpolation(order: readonly (readonly [number, number])[], [, h, w]: Grid, side: number): { index: number[]; share: number[] }[] {
  const place = (i: number, count: number) => {
    const exact = count > 1 ? (i * (side - 1)) / (count - 1) : 0;
    const low = Math.floor(exact);
    return { low, high: Math.min(low + 1, side - 1), share: exact - low };
  };
  const corners = [[0, 0], [0, 1], [1, 0], [1, 1]];
  return corners.map(([below, right]) => ({
    index: order.map(([row, column]) => {
      const [y, x] = [place(row, h), place(column, w)];
      return (below ? y.high : y.low) * side + (right ? x.high : x.low);
    }),
    share: order.map(([row, column]) => {
      const [y, x] = [place(row, h), place(column, w)];
      return (below ? y.share : 1 - y.share) * (right ? x.share : 1 - x.share);
    }),
  }));
}
