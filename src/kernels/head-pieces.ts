/** A vocabulary taken a piece at a time, so that tokens × vocabulary is never held. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { MAX_LOGITS } from '../protocol/limits.ts';
import type { GpuTable } from './embedding.ts';
import { matmulForward, viewOf, type GpuWeight, type LowRankTerm } from './matmul.ts';

/** Consecutive rows of the head that are multiplied at once. */
export interface HeadPiece {
  weight: GpuWeight;
  /** Row inside the part. */
  rowStart: number;
  rowCount: number;
  /** First vocabulary entry. */
  first: number;
}

/** A LoRA branch of the head: logits += scale · h Bᵀ, with h = hidden · Aᵀ [rows, rank] and B [vocabulary, rank] in `factor` from `offset` on. */
export interface HeadBranch {
  h: tf.Tensor;
  factor: GPUBuffer;
  /** In floats. */
  offset: number;
  rank: number;
  scale: number;
}

/** The branch as far as tokens from `first` on are concerned. */
export function branchFrom({ h, factor, offset, rank, scale }: HeadBranch, first: number): LowRankTerm {
  return { h: viewOf(h), factor, factorOffset: offset + first * rank, rank, scale };
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

/** Logits [rows, piece.rowCount]. */
export function pieceLogits(gpu: Gpu, hidden: tf.Tensor, piece: HeadPiece, branch?: HeadBranch): tf.Tensor {
  const rows = hidden.shape[0];
  const logits = gpu.empty([rows, piece.rowCount]);
  matmulForward(gpu, viewOf(hidden), rows, piece.weight, viewOf(logits), { rowStart: piece.rowStart, rowCount: piece.rowCount, lowRank: branch && branchFrom(branch, piece.first) });
  return logits;
}
