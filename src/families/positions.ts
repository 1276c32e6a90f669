/** Three-axis rotary positions (temporal, height, width) of a tokenised sample. */
import { invariant } from '../protocol/errors.ts';
import type { GridTHW, VisionMedia } from './media.ts';

export interface RopePositions {
  /** 3 × S, axis by axis. */
  positionIds: Int32Array;
  /** Position of the next token minus S. */
  ropeDelta: number;
}

/** Which tokens stand for patches, and how many patches along each side one of them stands for. */
export interface VisionTokens {
  imageTokenId: number;
  videoTokenId: number | null;
  spatialMergeSize: number;
}

/** Tokens that stand next to each other: temporal patches of one picture or clip. */
interface Run {
  kind: VisionMedia['kind'];
  grid: GridTHW;
  /** Temporal position of a patch minus that of the one before. */
  step: number;
}

/** How far apart the temporal patches of a clip lie that has all its tokens in one run. */
export type TemporalStep = (secondsPerGrid: number) => number;

/**
 * Text counts up on all axes alike. A run of vision tokens starts at one position and spreads over its merged grid;
 * text continues at that position + max(rows, columns), whatever the length of a clip. As `get_rope_index` of
 * transformers 5.12 does for all Qwen-VL families.
 * @param inputIds S token ids, each picture expanded to rows × columns tokens and each clip to frames × rows × columns
 * @param media one entry per picture or clip, in order
 * @param temporalStep for clips in one run; null where every temporal patch is a run, and so a picture, of its own
 */
export function ropePositions(inputIds: ArrayLike<number>, media: readonly VisionMedia[], tokens: VisionTokens, temporalStep: TemporalStep | null): RopePositions {
  const { imageTokenId, videoTokenId, spatialMergeSize } = tokens;
  const runs = media.flatMap((medium) => runsOf(medium, temporalStep));
  const length = inputIds.length;
  const positionIds = new Int32Array(3 * length);
  let next = 0;
  let run = 0;
  for (let t = 0; t < length; ) {
    if (inputIds[t] !== imageTokenId && inputIds[t] !== videoTokenId) {
      positionIds[t] = positionIds[length + t] = positionIds[2 * length + t] = next++;
      t++;
      continue;
    }
    invariant(run < runs.length, 'ropePositions: more pictures in the ids than grids');
    const { kind, grid, step } = runs[run++];
    const token = kind === 'image' ? imageTokenId : videoTokenId;
    const rows = grid[1] / spatialMergeSize;
    const columns = grid[2] / spatialMergeSize;
    for (let i = 0; i < grid[0] * rows * columns; i++, t++) {
      invariant(inputIds[t] === token, `ropePositions: ${kind} tokens disagree with their grid`);
      const inFrame = i % (rows * columns);
      positionIds[t] = next + Math.floor(i / (rows * columns)) * step;
      positionIds[length + t] = next + Math.floor(inFrame / columns);
      positionIds[2 * length + t] = next + (inFrame % columns);
    }
    next += Math.max(rows, columns);
  }
  invariant(run === runs.length, 'ropePositions: fewer pictures in the ids than grids');
  return { positionIds, ropeDelta: next - length };
}

function runsOf({ kind, grid: [frames, rows, columns], secondsPerGrid }: VisionMedia, temporalStep: TemporalStep | null): Run[] {
  if (kind === 'image' || temporalStep === null) return Array.from({ length: frames }, () => ({ kind, grid: [1, rows, columns], step: 0 }));
  invariant(secondsPerGrid !== null, 'ropePositions: a clip without a duration');
  return [{ kind, grid: [frames, rows, columns], step: temporalStep(secondsPerGrid) }];
}
