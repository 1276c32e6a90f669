/** What families, processing and model say of pictures and clips once they are cut into patches. Pure data. */

/** Patches of one picture or clip in units of `patch_size`: frames in units of `temporal_patch_size` (1 for stills), rows, columns. */
export type GridTHW = readonly [t: number, h: number, w: number];

/** One picture or clip of a conversation, in the order in which its tokens stand. */
export interface VisionMedia {
  kind: 'image' | 'video';
  grid: GridTHW;
  /** Seconds that one temporal patch of a clip covers; null for pictures. */
  secondsPerGrid: number | null;
}

/** A picture. */
export function stillOf(grid: GridTHW): VisionMedia {
  return { kind: 'image', grid, secondsPerGrid: null };
}

/** Patches of a grid. */
export function patchesOf([t, h, w]: GridTHW): number {
  return t * h * w;
}

/** Patches of several pictures and clips. */
export function patchesOfAll(media: readonly Pick<VisionMedia, 'grid'>[]): number {
  return media.reduce((sum, { grid }) => sum + patchesOf(grid), 0);
}
