/** How the tiles of attention are cut for each head dimension. */

/** Rows of a head that a workgroup takes. */
export const ROWS = 32;
/** Threads along the rows of a tile, four rows each. */
export const ROW_THREADS = 8;
/** Fours of the head dimension staged at a time, and the length of a staged row with its padding. */
export const CHUNK = 4;
export const STRIDE = CHUNK + 1;

export interface TileGeometry {
  /** Threads along the columns; a tile has four times as many columns. */
  columns: number;
  /** Fours of the head dimension that a thread adds up, for each of its rows. */
  width: number;
  /** Columns weighed into the output between two barriers. */
  stage: number;
}

/** The first of those that leave the fewest threads idle over the head dimension. */
const COLUMNS = [16, 20, 24, 32, 8];

/** @param outputs sums that a thread holds per row and four of the head dimension: two of them are narrower, where the threads suffice */
export function tileGeometry(headDim: number, outputs: 1 | 2): TileGeometry {
  const quads = headDim / 4;
  const lanes = (columns: number) => columns * Math.ceil(quads / columns);
  const width = outputs === 2 && quads <= Math.max(...COLUMNS) ? 1 : 2;
  const columns = COLUMNS.filter((count) => quads <= width * count).reduce((best, count) => (lanes(count) < lanes(best) ? count : best));
  return { columns, width: Math.ceil(quads / columns), stage: columns % ROW_THREADS === 0 ? ROW_THREADS : columns };
}

/** Largest head dimension that stays within registers. */
export const MAX_TILED_HEAD = 256;

/** Fours of workgroup memory, shared by all phases. */
export function memoryOf({ columns, width, stage }: TileGeometry): number {
  return Math.max((ROWS + 4 * columns) * STRIDE, ROW_THREADS * (columns + 1) + stage * columns * width);
}

export const workgroupBytes = (geometry: TileGeometry): number => 16 * memoryOf(geometry);
