/** Greedy choice of the next token without reading logits back. */
import type * as tf from '@tensorflow/tfjs';
import { withConstants, type Gpu } from '../gpu/gpu.ts';
import wgsl from './argmax.wgsl?raw';
import type { GpuTable } from './embedding.ts';
import { headPieces, pieceLogits } from './log-probs.ts';

/** Id of the highest logit of each row of hidden [rows, hidden] -> int32 [rows]; ties go to the lowest id. */
export function argmaxToken(gpu: Gpu, hidden: tf.Tensor, head: GpuTable): tf.Tensor {
  const rows = hidden.shape[0];
  const threads = gpu.profile === 'rasterizer' ? 8 : 256;
  const kernel = gpu.kernel({ name: `argmax_${threads}`, wgsl: () => withConstants({ THREADS: threads }, wgsl), access: ['read', 'write', 'write'] });
  const best = gpu.empty([rows]);
  const ids = gpu.empty([rows], 'int32');
  for (const piece of headPieces(head, rows)) {
    const logits = pieceLogits(gpu, hidden, piece);
    gpu.run(kernel, [logits, best, ids], [piece.rowCount, piece.first], [rows]);
    logits.dispose();
  }
  best.dispose();
  return ids;
}
