/** Tile shapes of the matrix kernel. */

/** A workgroup of rows × columns threads, each owning threadRows × threadColumns outputs; `depth` of the reduction per round. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly threadRows: number;
  /** A multiple of 4. */
  readonly threadColumns: number;
  readonly depth: number;
  /** Fours between a column of W and the next, so that threads side by side use different banks; for their sake X is swizzled then. */
  readonly padding: number;
  /** Sums are chains of fused multiply-adds, each a step of the depth. */
  readonly chained: boolean;
  /** Every round multiplies the whole depth, zeros included: its length is constant. */
  readonly unrolled: boolean;
  /** Most weights that a thread unpacks at a time. */
  readonly segment: number;
  /** What the next round needs is fetched while this one multiplies; only for aligned sizes and runs of 8. */
  readonly ahead: boolean;
}

/** Fours of the depth change places from two rows to the next, where there are at least four and threads keep to rows of one kind. */
export const swizzled = ({ padding, depth, rows }: Tile): boolean => padding > 0 && depth % 16 === 0 && rows % 8 === 0;

export const tileRows = (tile: Tile): number => tile.rows * tile.threadRows;
export const tileColumns = (tile: Tile): number => tile.columns * tile.threadColumns;
export const tileName = (tile: Tile): string => `${tile.rows}x${tile.columns}_${tile.threadRows}x${tile.threadColumns}_${tile.depth}`;

/** Of both tiles in float32, and the codebook and scales of NF4. */
export const tileBytes = (tile: Tile): number => 4 * (tileRows(tile) * tile.depth + tileColumns(tile) * (tile.depth + 4 * tile.padding)) + 64 + (tile.ahead ? 1024 : 0);
