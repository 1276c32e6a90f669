/** What the processing steps hand to each other and to the model. */
import type { GridTHW, VisionMedia } from '../families/media.ts';

/** Image resized for the model: 8-bit RGB, row by row. */
export interface ResizedImage {
  /** height × width × 3 */
  pixels: Uint8Array;
  height: number;
  width: number;
}

export type { GridTHW, VisionMedia };

/** Label value that carries no loss, as in PyTorch. */
export const IGNORE_INDEX = -100;

/** Labels that a next-token loss falls on: all but the first token's, which nothing precedes. */
export function countLabels(labels: Int32Array): number {
  let count = 0;
  for (let t = 1; t < labels.length; t++) if (labels[t] !== IGNORE_INDEX) count++;
  return count;
}

/** One conversation, tokenised; the unit of training. */
export interface EncodedSample {
  id: string;
  /** S */
  inputIds: Int32Array;
  /** S; IGNORE_INDEX where no loss falls. labels[t] is the token at t (not shifted). */
  labels: Int32Array;
  /** 3 × S, axis by axis: temporal, height, width. */
  positionIds: Int32Array;
  /** Position of the next token minus S (used in generation). */
  ropeDelta: number;
  /** Label tokens: targets of the shifted loss, so a label on the first token does not count. */
  labelTokens: number;
  /** Pictures and clips in the order of their tokens. */
  media: readonly VisionMedia[];
  /** Tokens that stand for their patches, ascending. */
  visionRows: Int32Array;
  /** Resizes and returns the frames of medium i, one for a picture; may read the file. */
  pixels: (i: number) => Promise<readonly ResizedImage[]>;
}

/**
 * Several samples laid end to end: no padding inside, one padded tail so that sizes repeat. Samples that begin with the same
 * prompt may follow one copy of it; the rows of such a sample are then those of the copy and its own.
 */
export interface PackedBatch {
  /** Rows that carry tokens. */
  tokenCount: number;
  /** Rows altogether, a multiple of the bucket. Padding rows attend to themselves only. */
  rowCount: number;
  sampleCount: number;
  /** rowCount */
  inputIds: Int32Array;
  /** 3 × rowCount */
  positionIds: Int32Array;
  /** rowCount × 2: first and one-past-last row of the row's own segment: its sample, its sample without the shared prompt, or a shared prompt with all that follows it. */
  bounds: Int32Array;
  /** rowCount × 2, where a prompt is shared: first and one-past-last row of the copy that the row's segment continues; a row without one has the first row of its segment twice. */
  prefixes?: Int32Array;
  /** Rows that hold image or video tokens, in the order of the merged vision features. */
  visionRows: Int32Array;
  /** patches × (3 · temporal_patch_size · patch_size²), all pictures and clips; empty without any. */
  pixelValues: Float32Array;
  /** Pictures (t = 1) and clips in order of appearance. */
  grids: GridTHW[];
  /** L rows whose next token carries loss, sample by sample; the last row of a shared prompt comes once for each sample that continues it. */
  targetRows: Int32Array;
  /** L token ids to predict there. */
  targetIds: Int32Array;
  /** L: which sample each target belongs to, ascending. */
  targetSample: Int32Array;
}
