/**
 * −log p of target tokens and its gradient with respect to the hidden states, a piece of the vocabulary at a time:
 * tokens × vocabulary is never held. The head is frozen; an adapter on it is not.
 */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import { invariant } from '../protocol/errors.ts';
import type { GpuTable } from './embedding.ts';
import { headPieces, pieceLogits, type HeadBranch, type HeadPiece } from './head-pieces.ts';
import gradientWgsl from './log-probs-gradient.wgsl?raw';
import updateWgsl from './log-probs-update.wgsl?raw';
import { floatWeight, matmulTransposed, viewOf } from './matmul.ts';
import { accumulateOuter } from './outer.ts';
import weightedSumWgsl from './weighted-sum.wgsl?raw';

/** Rows are workgroups along one axis. */
const MAX_ROWS = 65535;

const UPDATE = defineKernel({
  name: 'log-probs update',
  bindings: {
    logits: 'read array<f32>', targets: 'read array<i32>',
    // per row: highest z, Σ exp(z − highest), z of the target, and with statistics Σ exp(z − highest) · (z − highest)
    state: 'write array<vec4<f32>>',
    nll: 'write array<f32>',
    // with statistics, per row: −log p, entropy, 1 where no logit exceeds the target's, Σ raw logits
    scores: 'write? array<vec4<f32>>',
  },
  params: { columns: 'u32', firstColumn: 'u32', inverseTemperature: 'f32' },
  wgsl: (constants: { THREADS: number; STATISTICS: boolean }) => withConstants(constants, updateWgsl),
});

const GRADIENT = defineKernel({
  name: 'log-probs gradient',
  bindings: {
    logits: 'write array<f32>', targets: 'read array<i32>', state: 'read array<vec4<f32>>',
    // weight of each row's −log p in the loss
    rowWeights: 'read array<f32>',
  },
  params: { columns: 'u32', firstColumn: 'u32', inverseTemperature: 'f32' },
  wgsl: (constants: { THREADS: number }) => withConstants(constants, gradientWgsl),
});

const WEIGHTED_SUM = defineKernel({
  name: 'weighted sum',
  bindings: { values: 'read array<f32>', weights: 'read array<f32>', sum: 'write array<f32>' },
  params: { count: 'u32' },
  wgsl: (constants: { THREADS: number }) => withConstants(constants, weightedSumWgsl),
});

export interface LogProbOptions {
  /** Logits are divided by it before the softmax. */
  temperature?: number;
  /** Also computes `scores`. */
  statistics?: boolean;
  /** Logits held at once, in values. */
  maxLogits?: number;
  /** An adapter on the head. */
  branch?: HeadBranch;
}

/** Where the gradients of a head's adapter go. */
export interface BranchGradients {
  /** [L, rank]: written, Σ over tokens of logit gradient · B */
  g: tf.Tensor;
  /** Layout of the branch's factor; that of B is added. */
  gradients: GPUBuffer;
}

/** −log p per row, with what a following gradient needs. */
export interface TokenLogProbs {
  /** [L] */
  nll: tf.Tensor;
  /** With statistics [L, 4]: −log p, entropy in nats, 1 where no logit exceeds the target's, sum of the raw logits. */
  scores: tf.Tensor | null;
  dispose(): void;
  /** Gradient [L, hidden] of Σ rowWeights · nll by way of the frozen head; usable once, before dispose. With a branch, `branch` is needed. */
  backward(rowWeights: tf.Tensor, branch?: BranchGradients): tf.Tensor;
}

/**
 * @param hidden [L, hidden] after the final norm, one row per target
 * @param head [vocabulary, hidden]
 * @param targets int32 [L]
 * @throws Error "Invariant violation" beyond 65,535 targets
 */
export function tokenLogProbs(gpu: Gpu, hidden: tf.Tensor, head: GpuTable, targets: tf.Tensor, options: LogProbOptions = {}): TokenLogProbs {
  const { temperature = 1, statistics = false, maxLogits, branch } = options;
  const rows = hidden.shape[0];
  invariant(rows <= MAX_ROWS, `log-probabilities of ${rows} targets at once`);
  const pieces = headPieces(head, rows, maxLogits);
  const state = gpu.empty([rows, 4]);
  const nll = gpu.empty([rows]);
  const scores = statistics ? gpu.empty([rows, 4]) : null;
  const THREADS = gpu.shape.vocabularyThreads;
  const params = (piece: HeadPiece) => ({ columns: piece.rowCount, firstColumn: piece.first, inverseTemperature: 1 / temperature });
  // With one piece the logits of the forward pass serve the gradient too.
  let kept: tf.Tensor | null = null;
  for (const piece of pieces) {
    const logits = pieceLogits(gpu, hidden, piece, branch);
    gpu.run(UPDATE, {
      constants: { THREADS, STATISTICS: statistics },
      bindings: { logits, targets, state, nll, scores: scores ?? undefined },
      params: params(piece),
      groups: [rows],
    });
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
    backward(rowWeights, wanted) {
      invariant(!branch === !wanted, 'gradients of a head and of its adapter go together');
      const dHidden = gpu.empty(hidden.shape);
      pieces.forEach((piece, i) => {
        const logits = kept ?? pieceLogits(gpu, hidden, piece, branch);
        kept = null;
        gpu.run(GRADIENT, { constants: { THREADS }, bindings: { logits, targets, state, rowWeights }, params: params(piece), groups: [rows] });
        matmulTransposed(gpu, viewOf(logits), rows, piece.weight, viewOf(dHidden), {
          rowStart: piece.rowStart,
          rowCount: piece.rowCount,
          add: i > 0 ? 'self' : undefined,
        });
        if (branch && wanted) {
          const { rank, scale, factor } = branch;
          const offset = branch.offset + piece.first * rank;
          matmulTransposed(gpu, viewOf(logits), rows, floatWeight(factor, offset, piece.rowCount, rank), viewOf(wanted.g), { add: i > 0 ? 'self' : undefined });
          accumulateOuter(gpu, viewOf(branch.h), rank, viewOf(logits), piece.rowCount, rows, scale, { buffer: wanted.gradients, offset, strideI: 1, strideJ: rank });
        }
        logits.dispose();
      });
      return dHidden;
    },
  };
}

/** Σ weights · values as a tensor of one number, in a fixed order. */
export function weightedSum(gpu: Gpu, values: tf.Tensor, weights: tf.Tensor): tf.Tensor {
  const sum = gpu.empty([1]);
  gpu.run(WEIGHTED_SUM, { constants: { THREADS: gpu.shape.vocabularyThreads }, bindings: { values, weights, sum }, params: { count: values.size }, groups: [1] });
  return sum;
}
