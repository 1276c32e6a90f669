/** Both sides of preference pairs as one batch, and sums over their tokens. */
import type { DpoNormalizer, DpoPair } from '../../objectives/dpo.ts';
import type { EncodedSample, PackedBatch } from '../../processing/types.ts';
import type { Pack } from '../validation.ts';

export interface EncodedPair {
  id: string;
  /** Prompt and chosen answer; labels on the answer. */
  chosen: EncodedSample;
  rejected: EncodedSample;
}

/** Log-probabilities of a pair's answers under one model, summed over their tokens. */
export interface PairLogProbs {
  chosen: number;
  rejected: number;
}

/** Chosen answers first, then the rejected ones in the same order; both follow one copy of their prompt where that is possible. */
export function packPairs(pack: Pack, pairs: readonly EncodedPair[]): Promise<PackedBatch> {
  const numbers = [...pairs.keys()];
  return pack([...pairs.map(({ chosen }) => chosen), ...pairs.map(({ rejected }) => rejected)], [...numbers, ...numbers]);
}

/** Sums of a value over each side's targets, pair by pair. */
export function sumByPair(batch: PackedBatch, values: ArrayLike<number>): PairLogProbs[] {
  const count = batch.sampleCount / 2;
  const sums = Array.from({ length: count }, () => ({ chosen: 0, rejected: 0 }));
  for (let target = 0; target < batch.targetSample.length; target++) {
    const sample = batch.targetSample[target];
    if (sample < count) sums[sample].chosen += values[target];
    else sums[sample - count].rejected += values[target];
  }
  return sums;
}

/** Totals over which the loss of these pairs is averaged. */
export function totalsOf(pairs: readonly EncodedPair[]): DpoNormalizer {
  return { pairs: pairs.length, chosenTokens: pairs.reduce((sum, { chosen }) => sum + chosen.labelTokens, 0) };
}

/** What the loss is a function of, pair by pair. */
export function lossInputs(pairs: readonly EncodedPair[], policy: readonly PairLogProbs[], reference: readonly PairLogProbs[]): DpoPair[] {
  return pairs.map(({ chosen, rejected }, i) => ({
    policyChosen: policy[i].chosen,
    policyRejected: policy[i].rejected,
    refChosen: reference[i].chosen,
    refRejected: reference[i].rejected,
    chosenTokens: chosen.labelTokens,
    rejectedTokens: rejected.labelTokens,
  }));
}
