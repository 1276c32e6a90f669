/**
 * −log p of target tokens and its gradient with respect to the hidden states, a piece of the vocabulary at a time:
 * tokens × vocabulary is never held. The head is frozen.
 */
import type * as tf from '@tensorflow/tfjs';
import { f32, withConstants, type Binding, type Gpu, type Kernel } from '../gpu/gpu.ts';
import { invariant } from '../protocol/errors.ts';
import type { GpuTable } from './embedding.ts';
import wgsl from './log-probs.wgsl?raw';
import { matmulForward, matmulTransposed, viewOf, type GpuWeight } from './matmul.ts';

/** Logits held at once, in values; 64 MiB of float32. */
const MAX_LOGITS = 1 << 24;
/** Rows are workgroups along one axis. */
const MAX_ROWS = 65535;

/** Consecutive rows of the head that are multiplied at once. */
export interface HeadPiece {
  weight: GpuWeight;
  /** Row inside the part. */
  rowStart: number;
  rowCount: number;
  /** First vocabulary entry. */
  first: number;
}

/** Cuts the vocabulary so that `rows` × piece stays below `maxLogits` values, or is 64 wide. */
export function headPieces(head: GpuTable, rows: number, maxLogits = MAX_LOGITS): HeadPiece[] {
  const limit = Math.max(64, Math.floor(maxLogits / rows / 64) * 64);
  const pieces: HeadPiece[] = [];
  for (const { firstRow, weight } of head.parts) {
    for (let rowStart = 0; rowStart < weight.rows; rowStart += limit) {
      pieces.push({ weight, rowStart, rowCount: Math.min(limit, weight.rows - rowStart), first: firstRow + rowStart });
    }
  }
  return pieces;
}

function kernelOf(gpu: Gpu, entryPoint: 'update' | 'gradient' | 'weightedSum', statistics = false) {
  const threads = gpu.profile === 'rasterizer' ? 8 : 256;
  return gpu.kernel({
    name: `log_probs_${entryPoint}_${threads}${statistics ? '_statistics' : ''}`,
    wgsl: () => withConstants({ THREADS: threads, STATISTICS: statistics }, wgsl),
    access: entryPoint === 'update' ? ['write', 'read', 'write', 'read', 'write', 'write'] : ['write', 'read', 'write', 'read', 'write'],
    entryPoint,
  });
}

/** Logits [rows, piece.rowCount]. */
export function pieceLogits(gpu: Gpu, hidden: tf.Tensor, piece: HeadPiece): tf.Tensor {
  const rows = hidden.shape[0];
  const logits = gpu.empty([rows, piece.rowCount]);
  matmulForward(gpu, viewOf(hidden), rows, piece.weight, viewOf(logits), { rowStart: piece.rowStart, rowCount: piece.rowCount });
  return logits;
}

export interface LogProbOptions {
  /** Logits are divided by it before the softmax. */
  temperature?: number;
  /** Also computes `scores`. */
  statistics?: boolean;
  /** Logits held at once, in values. */
  maxLogits?: number;
}

/** −log p per row, with what a following gradient needs. */
export interface TokenLogProbs {
  /** [L] */
  nll: tf.Tensor;
  /** With statistics [L, 4]: −log p, entropy in nats, 1 where no logit exceeds the target's, sum of the raw logits. */
  scores: tf.Tensor | null;
  dispose(): void;
  /** Gradient [L, hidden] of Σ rowWeights · nll; usable once, before dispose. */
  backward(rowWeights: tf.Tensor): tf.Tensor;
}

/**
 * @param hidden [L, hidden] after the final norm, one row per target
 * @param head [vocabulary, hidden]
 * @param targets int32 [L]
 * @throws Error "Invariant violation" beyond 65,535 targets
 */
export function tokenLogProbs(gpu: Gpu, hidden: tf.Tensor, head: GpuTable, targets: tf.Tensor, options: LogProbOptions = {}): TokenLogProbs {
  const { temperature = 1, statistics = false, maxLogits } = options;
  const rows = hidden.shape[0];
  invariant(rows <= MAX_ROWS, `log-probabilities of ${rows} targets at once`);
  const pieces = headPieces(head, rows, maxLogits);
  const state = gpu.empty([rows, 4]);
  const nll = gpu.empty([rows]);
  const scores = statistics ? gpu.empty([rows, 4]) : null;
  const params = (piece: HeadPiece) => [rows, piece.rowCount, piece.first, f32(1 / temperature)];
  const run = (kernel: Kernel, logits: tf.Tensor, piece: HeadPiece, weights: Binding, outputs: Binding[]) =>
    gpu.run(kernel, [logits, targets, state, weights, ...outputs], params(piece), [rows]);
  const update = kernelOf(gpu, 'update', statistics);
  const gradient = kernelOf(gpu, 'gradient');
  // With one piece the logits of the forward pass serve the gradient too.
  let kept: tf.Tensor | null = null;
  for (const piece of pieces) {
    const logits = pieceLogits(gpu, hidden, piece);
    run(update, logits, piece, gpu.unusedBuffer, [nll, scores ?? gpu.unusedOutput]);
    if (pieces.length === 1) kept = logits;
    else logits.dispose();
  }
  return {
    nll,
    scores,
    dispose() {
      kept?.dispose();
      kept = null;
      state.dispose();
      nll.dispose();
      scores?.dispose();
    },
    backward(rowWeights) {
      const dHidden = gpu.empty(hidden.shape);
      pieces.forEach((piece, i) => {
        const logits = kept ?? pieceLogits(gpu, hidden, piece);
        kept = null;
        run(gradient, logits, piece, rowWeights, [nll]);
        matmulTransposed(gpu, viewOf(logits), rows, piece.weight, viewOf(dHidden), {
          rowStart: piece.rowStart,
          rowCount: piece.rowCount,
          add: i > 0 ? 'self' : undefined,
        });
        logits.dispose();
      });
      return dHidden;
    },
  };
}

/** Σ weights · values as a tensor of one number, in a fixed order. */
export function weightedSum(gpu: Gpu, values: tf.Tensor, weights: tf.Tensor): tf.Tensor {
  const sum = gpu.empty([1]);
  gpu.run(kernelOf(gpu, 'weightedSum'), [values, gpu.unusedBuffer, gpu.unusedOutput, weights, sum], [values.size, 0, 0, 0], [1]);
  return sum;
}
