/** How the rows of a packed batch are cut into the chunks of the gated delta rule. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { invariant } from '../protocol/errors.ts';

/** Rows a chunk has at most: the shaders' tiles of 8 × 8 threads with 4 × 4 values each. */
export const DELTA_CHUNK = 32;

/** One packed batch, the same for all layers. */
export interface DeltaBatch {
  readonly rows: number;
  /** Samples; padding rows come after them and are none. */
  readonly samples: number;
  readonly chunks: number;
  /** Samples and padding rows: what the state is reset for. */
  readonly segments: number;
  /** States between the chunks of a sample; those at the samples' ends would follow. */
  readonly slots: number;
  /**
   * int32 [chunks + segments, 4]. A chunk: first row, number of rows, slots of the states before and after it; sample s begins and ends with slot
   * `slots` + s, a padding row with -1. A segment: first chunk, number of chunks, then sample and its slot, both -1 for padding.
   */
  readonly tables: tf.Tensor;
}

/**
 * @param lengths rows of each sample, laid end to end from row 0
 * @param rows rows of the batch; those after the samples are padding, each a segment of its own
 */
export function planDeltaBatch(gpu: Gpu, lengths: readonly number[], rows: number): DeltaBatch {
  invariant(lengths.every((length) => Number.isInteger(length) && length > 0), 'delta rule: every sample needs at least one row');
  const used = lengths.reduce((sum, length) => sum + length, 0);
  invariant(used <= rows, `delta rule: samples of ${used} rows in a batch of ${rows}`);
  const slots = lengths.reduce((sum, length) => sum + Math.ceil(length / DELTA_CHUNK) - 1, 0);
  const chunks: number[][] = [];
  const segments: number[][] = [];
  let row = 0;
  let slot = 0;
  lengths.forEach((length, sample) => {
    const count = Math.ceil(length / DELTA_CHUNK);
    segments.push([chunks.length, count, sample, slots + sample]);
    for (let i = 0; i < count; i++) {
      const before = i === 0 ? slots + sample : slot - 1;
      const after = i === count - 1 ? slots + sample : slot++;
      chunks.push([row + i * DELTA_CHUNK, Math.min(DELTA_CHUNK, length - i * DELTA_CHUNK), before, after]);
    }
    row += length;
  });
  for (; row < rows; row++) {
    segments.push([chunks.length, 1, -1, -1]);
    chunks.push([row, 1, -1, -1]);
  }
  const tables = gpu.upload(Int32Array.from([...chunks, ...segments].flat()), [chunks.length + segments.length, 4]);
  return { rows, samples: lengths.length, chunks: chunks.length, segments: segments.length, slots, tables };
}
