/** What the processing steps hand to each other and to the model. Pure data. */
import type { GridTHW } from '../families/media.ts';

/** Image resized for the model: 8-bit RGB, row by row. */
export interface ResizedImage {
  /** height × width × 3 */
  pixels: Uint8Array;
  height: number;
  width: number;
}

export type { GridTHW };

/** Label value that carries no loss, as in PyTorch. */
export const IGNORE_INDEX = -100;

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
  grids: GridTHW[];
  /** Resizes and returns the pixels of image i; may read the file. */
  image: (i: number) => Promise<ResizedImage>;
}

/** Several samples laid end to end: no padding inside, one padded tail so that sizes repeat. */
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
  /** rowCount; first and one-past-last row of the row's own sample. */
  segmentStart: Int32Array;
  segmentEnd: Int32Array;
  /** Rows that hold image tokens, in the order of the merged vision features. */
  imageRows: Int32Array;
  /** patches × (3 · temporal_patch_size · patch_size²), all images; empty without images. */
  pixelValues: Float32Array;
  grids: GridTHW[];
  /** L rows whose next token carries loss, ascending. */
  targetRows: Int32Array;
  /** L token ids to predict there. */
  targetIds: Int32Array;
  /** L: which sample each target belongs to. */
  targetSample: Int32Array;
}
