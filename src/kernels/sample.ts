/** Choosing the next token without reading logits back: repetition penalty, temperature, top-k, top-p, then a draw. */
import type * as tf from '@tensorflow/tfjs';
import type { Gpu } from '../gpu/gpu.ts';
import { defineKernel, withConstants } from '../gpu/kernel.ts';
import type { GpuTable } from './embedding.ts';
import { branchFrom, type HeadBranch } from './head-pieces.ts';
import { matmulForward, viewOf } from './matmul.ts';
import philox from './philox.wgsl?raw';
import wgsl from './sample.wgsl?raw';

/** How a token is chosen; the order is that of transformers: penalty, temperature, top-k, top-p. */
export interface ChoiceSettings {
  /** Null: the most likely token, the lowest id among equals. */
  draw: {
    temperature: number;
    /** Only the k most likely tokens and those as likely as the k-th; 0 = all. */
    topK: number;
    /** Only the most likely tokens whose probabilities together reach this, and those as likely as the last of them; 1 = all. */
    topP: number;
    seed: number;
    /** Never drawn; absent = none. */
    suppressId?: number;
  } | null;
  /** Logits of seen tokens are divided (positive) or multiplied (negative) by it; 1 = off. */
  repetitionPenalty: number;
}

/** No token's id. */
const NONE = 0xffffffff;

const SAMPLE = defineKernel({
  name: 'sample',
  bindings: {
    // [sequences, vocabulary]
    logits: 'read array<f32>',
    // per sequence: its row of `seen`, its counter, and the step at which it began
    sequences: 'read array<vec4<u32>>',
    // one bit for each token of the vocabulary, rows of whole words
    seen: 'write? array<u32>',
    ids: 'write array<i32>',
  },
  params: { vocabulary: 'u32', seed: 'u32', step: 'u32', topK: 'u32', topP: 'f32', inverseTemperature: 'f32', penalty: 'f32', suppressed: 'u32' },
  wgsl: (constants: { THREADS: number; GREEDY: boolean; PENALIZED: boolean }) => withConstants(constants, `${philox}\n${wgsl}`),
});

/** Logits of every token [rows, vocabulary] of hidden [rows, hidden]. */
export function headLogits(gpu: Gpu, hidden: tf.Tensor, head: GpuTable, branch?: HeadBranch): tf.Tensor {
  const rows = hidden.shape[0];
  const logits = gpu.empty([rows, head.rows]);
  for (const { firstRow, weight } of head.parts) matmulForward(gpu, viewOf(hidden), rows, weight, { data: logits, stride: head.rows, offset: firstRow }, { lowRank: branch && branchFrom(branch, firstRow) });
  return logits;
}

/** Words of one sequence's row of seen tokens. */
export const seenWords = (vocabulary: number): number => Math.ceil(vocabulary / 32);

/**
 * Next ids, int32 [rows]. Random numbers are Philox words of (counter, step) under the seed: the same for a sequence wherever it stands.
 * @param logits [rows, vocabulary]
 * @param sequences int32 [rows, 4]: row of `seen`, random counter and first step of each, and nothing
 * @param seen one bit per token of the vocabulary and sequence, to which the choice is added; null without penalty
 * @param step less its first step counts the tokens of a sequence
 */
export function chooseTokens(gpu: Gpu, logits: tf.Tensor, sequences: tf.Tensor, seen: tf.Tensor | null, step: number, { draw, repetitionPenalty }: ChoiceSettings): tf.Tensor {
  const [rows, vocabulary] = logits.shape as [number, number];
  const ids = gpu.empty([rows], 'int32');
  const { temperature, topK, topP, seed, suppressId } = draw ?? { temperature: 1, topK: 0, topP: 1, seed: 0 };
  gpu.run(SAMPLE, {
    constants: { THREADS: gpu.shape.vocabularyThreads, GREEDY: draw === null, PENALIZED: seen !== null },
    bindings: { logits, sequences, seen: seen ?? undefined, ids },
    params: { vocabulary, seed: seed >>> 0, step, topK, topP, inverseTemperature: 1 / temperature, penalty: repetitionPenalty, suppressed: suppressId ?? NONE },
    groups: [rows],
  });
  return ids;
}
