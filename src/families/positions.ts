/** Three-axis rotary positions (temporal, height, width) of a tokenised sample. */
import { invariant } from '../protocol/errors.ts';
import type { VisionMedia } from './media.ts';

export interface RopePositions {
  /** 3 × S, axis by axis. */
  positionIds: Int32Array;
  /** Position of the next token minus S. */
  ropeDelta: number;
}

/**
 * Text counts up on all axes alike. An image keeps the temporal position of its first token and spreads over its merged
 * grid on the other two axes; text continues at that position + max(rows, columns). As `get_rope_index` of all
 * Qwen-VL families does for still images.
 * @param inputIds S token ids with each image expanded to rows × columns image tokens
 * @param media one entry per image, in order
 */
export function ropePositions(inputIds: ArrayLike<number>, media: readonly VisionMedia[], imageTokenId: number, mergeSize: number): RopePositions {
  const length = inputIds.length;
  const positionIds = new Int32Array(3 * length);
  let next = 0;
  let image = 0;
  for (let t = 0; t < length; ) {
    if (inputIds[t] !== imageTokenId) {
      positionIds[t] = positionIds[length + t] = positionIds[2 * length + t] = next++;
      t++;
      continue;
    }
    invariant(image < media.length, 'ropePositions: more images in the ids than grids');
    const [frames, gridHeight, gridWidth] = media[image++].grid;
    invariant(frames === 1, 'ropePositions: only still images');
    const rows = gridHeight / mergeSize;
    const columns = gridWidth / mergeSize;
    for (let i = 0; i < rows * columns; i++, t++) {
      invariant(inputIds[t] === imageTokenId, 'ropePositions: an image has fewer tokens than its grid says');
      positionIds[t] = next;
      positionIds[length + t] = next + Math.floor(i / columns);
      positionIds[2 * length + t] = next + (i % columns);
    }
    next += Math.max(rows, columns);
  }
  invariant(image === media.length, 'ropePositions: fewer images in the ids than grids');
  return { positionIds, ropeDelta: next - length };
}
