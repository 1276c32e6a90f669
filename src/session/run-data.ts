/** The samples that a run trains and validates on, all at hand or made when the run comes to them. */
import type { DatasetSample } from '../data/dataset.ts';
import type { LorikeetError } from '../protocol/errors.ts';
import type { DatasetProblem, SplitName } from '../protocol/messages.ts';
import type { EncodedSample } from '../processing/types.ts';
import { fingerprintSamples, type EncodedDataset, type SessionSample } from './encoded-dataset.ts';

/** What is remembered of an encoded sample once its tokens are let go. */
export interface SampleMeasures extends Pick<EncodedSample, 'labelTokens' | 'media'> {
  inputIds: { readonly length: number };
  /** Tokens of pictures and clips. */
  visionRows: { readonly length: number };
}

/** A sample's sizes; of a pair those of both sides. */
export interface MeasuredSample {
  source: DatasetSample;
  encoded: SampleMeasures;
  rejected?: SampleMeasures;
  /** Pairs only: tokens that one copy could stand for on both sides. */
  shared?: number;
}

/** Samples of one split. */
export interface SampleSet {
  readonly length: number;
  /** What they are made from, by the same indices. */
  readonly sources: readonly DatasetSample[];
  /** A sample to train on. In place of one that cannot be used comes the next one that can: the same one every time. */
  at(index: number): SessionSample | Promise<SessionSample>;
  /** The sample itself, or null when it cannot be used. */
  own(index: number): SessionSample | null | Promise<SessionSample | null>;
}

/** Sizes of one sample, and where it stands. */
export interface PlannedSample {
  index: number;
  sample: MeasuredSample;
}

export interface RunData extends Readonly<Record<SplitName, SampleSet>> {
  /** Samples known so far to be left out. */
  readonly rejected: number;
  readonly problems: readonly DatasetProblem[];
  /** Told of each sample that another one is trained on in place of. */
  onReplaced: ((fault: LorikeetError) => void) | null;
  /** One entry for each training sample. While not all are measured, measured ones stand for the others. */
  planned(): Promise<PlannedSample[]>;
  /** Those of the validation samples at `indices` that can be used; of very many the largest. */
  plannedValidation(indices: readonly number[]): Promise<PlannedSample[]>;
  /** Tells one set of training samples, in its order, from any other. */
  fingerprint(): Promise<string>;
}

/** Samples that have all been encoded. */
export function wholeData({ train, validation, rejected, problems }: EncodedDataset): RunData {
  return {
    train: wholeSet(train),
    validation: wholeSet(validation),
    rejected,
    problems,
    onReplaced: null,
    planned: () => Promise.resolve(train.map((sample, index) => ({ index, sample }))),
    plannedValidation: (indices) => Promise.resolve(indices.map((index) => ({ index, sample: validation[index] }))),
    fingerprint: () => fingerprintSamples(train),
  };
}

function wholeSet(samples: readonly SessionSample[]): SampleSet {
  return { length: samples.length, sources: samples.map(({ source }) => source), at: (index) => samples[index], own: (index) => samples[index] };
}
