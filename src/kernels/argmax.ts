/** Greedy choice of the next token without reading logits back. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import wgsl from './argmax.wgsl?raw';
import type { GpuTable } from './embedding.ts';
import { headPieces, pieceLogits, type HeadBranch } from './head-pieces.ts';

const ARGMAX = defineKernel({
  name: 'argmax',
  bindings: { logits: 'read array<f32>', best: 'write array<f32>', ids: 'write array<i32>' },
  params: { columns: 'u32', firstColumn: 'u32' },
  wgsl: (constants: { THREADS: number }) => withConstants(constants, wgsl),
});

/** Id of the highest logit of each row of hidden [rows, hidden] -> int32 [rows]; ties go to the lowest id. */
export function argmaxToken(gpu: Gpu, hidden: tf.Tensor, head: GpuTable, branch?: HeadBranch): tf.Tensor {
  const rows = hidden.shape[0];
  const constants = { THREADS: gpu.shape.vocabularyThreads };
  const best = gpu.empty([rows]);
  const ids = gpu.empty([rows], 'int32');
  for (const piece of headPieces(head, rows)) {
    const logits = pieceLogits(gpu, hidden, piece, branch);
    gpu.run(ARGMAX, { constants, bindings: { logits, best, ids }, params: { columns: piece.rowCount, firstColumn: piece.first }, groups: [rows] });
    logits.dispose();
  }
  best.dispose();
  return ids;
}
