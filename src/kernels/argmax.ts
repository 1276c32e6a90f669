/** Greedy choice of the next token without reading logits back. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import wgsl from './argmax.wgsl?raw';
import type { GpuTable } from './embedding.ts';
import { headPieces, pieceLogits, type HeadBranch } from './head-pieces.ts';

const ARGMAX = defineKernel({
  name: 'argmax',
  bindings: { logits: 'read array<f32>', best: 'write array<f32>', ids: 'write array<i32>', sums: 'write? array<f32>' },
  params: { columns: 'u32', firstColumn: 'u32' },
  wgsl: (constants: { THREADS: number; SUMS: boolean }) => withConstants(constants, wgsl),
});

/** What a greedy choice leaves. */
export interface ArgmaxTokens {
  /** Id of the highest logit of each row, int32 [rows]; ties go to the lowest id. */
  ids: tf.Tensor;
  /** Σ exp(logit − highest) of each row [rows], where asked for: the chosen token's probability is 1 over it. */
  sums: tf.Tensor | null;
}

/** Greedy choice for each row of hidden [rows, hidden]. */
export function argmaxToken(gpu: Gpu, hidden: tf.Tensor, head: GpuTable, branch?: HeadBranch, withSums = false): ArgmaxTokens {
  const rows = hidden.shape[0];
  const constants = { THREADS: gpu.shape.vocabularyThreads, SUMS: withSums };
  const best = gpu.empty([rows]);
  const ids = gpu.empty([rows], 'int32');
  const sums = withSums ? gpu.empty([rows]) : null;
  for (const piece of headPieces(head, rows)) {
    const logits = pieceLogits(gpu, hidden, piece, branch);
    gpu.run(ARGMAX, { constants, bindings: { logits, best, ids, sums: sums ?? undefined }, params: { columns: piece.rowCount, firstColumn: piece.first }, groups: [rows] });
    logits.dispose();
  }
  best.dispose();
  return { ids, sums };
}
