/** Tile shapes of the matrix kernels. See bench/RESULTS.md for what each was measured against. */
import type { DeviceProfile } from '../gpu/gpu.ts';

/** A workgroup of rows × columns threads, each owning threadRows × threadColumns outputs; `depth` of the reduction per round. */
export interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly threadRows: number;
  readonly threadColumns: number;
  readonly depth: number;
}

const TILES: Readonly<Record<DeviceProfile, { tall: Tile; flat: Tile }>> = {
  gpu: {
    tall: { rows: 16, columns: 16, threadRows: 4, threadColumns: 4, depth: 16 },
    flat: { rows: 2, columns: 32, threadRows: 4, threadColumns: 4, depth: 16 },
  },
  // A CPU rasteriser runs four threads as one vector: few threads, much work each.
  rasterizer: {
    tall: { rows: 2, columns: 2, threadRows: 16, threadColumns: 16, depth: 32 },
    flat: { rows: 1, columns: 4, threadRows: 8, threadColumns: 4, depth: 32 },
  },
};

/** The tile for an output of `rows` rows: flat ones waste less when a decoding step has only a few. */
export function tileFor(profile: DeviceProfile, rows: number): Tile {
  return rows <= 8 ? TILES[profile].flat : TILES[profile].tall;
}

export const tileRows = (tile: Tile): number => tile.rows * tile.threadRows;
export const tileColumns = (tile: Tile): number => tile.columns * tile.threadColumns;
export const tileName = (tile: Tile): string => `${tile.rows}x${tile.columns}_${tile.threadRows}x${tile.threadColumns}_${tile.depth}`;
