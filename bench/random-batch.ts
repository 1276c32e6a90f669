/** Batches of random tokens around one image a sample. */
import type { Architecture } from '../src/families/architecture.ts';
import { stillOf } from '../src/families/media.ts';
import { countLabels, IGNORE_INDEX, type EncodedSample, type PackedBatch } from '../src/processing/types.ts';
import type { PatchSettings } from '../src/processing/patchify.ts';
import { packSamples } from '../src/processing/pack.ts';
import { generator } from './random-weights.ts';

export interface SampleShape {
  /** Tokens altogether, those of the image included. */
  tokens: number;
  /** Patches along an edge of the image. */
  side: number;
  /** Tokens at the end that carry loss; 0 for a prompt. */
  labels: number;
}

const PLAIN_TOKENS = 1000;

function sample(architecture: Architecture, { tokens, side, labels }: SampleShape, seed: number): EncodedSample {
  const { config } = architecture;
  const next = generator(seed);
  const inside = (side / config.spatialMergeSize) ** 2;
  const inputIds = Int32Array.from({ length: tokens }, (_, t) => (t === 0 ? config.visionStartTokenId : t <= inside ? config.imageTokenId : Math.floor(next() * PLAIN_TOKENS)));
  const labelIds = inputIds.map((id, t) => (t >= tokens - labels ? id : IGNORE_INDEX));
  const media = [stillOf([1, side, side])];
  const edge = side * config.patchSize;
  return {
    id: String(seed),
    inputIds,
    labels: labelIds,
    ...architecture.positions(inputIds, media),
    labelTokens: countLabels(labelIds),
    media,
    visionRows: Int32Array.from({ length: inside }, (_, t) => t + 1),
    pixels: () => Promise.resolve([{ width: edge, height: edge, pixels: Uint8Array.from({ length: 3 * edge * edge }, () => next() * 256) }]),
  };
}

/** Samples of these shapes end to end, and each one's rope delta. */
export async function randomBatch(architecture: Architecture, shapes: readonly SampleShape[]): Promise<{ batch: PackedBatch; ropeDeltas: number[] }> {
  const samples = shapes.map((shape, i) => sample(architecture, shape, i + 1));
  const { patchSize, temporalPatchSize, spatialMergeSize } = architecture.config;
  const patches: PatchSettings = { patchSize, temporalPatchSize, mergeSize: spatialMergeSize, imageMean: [0.5, 0.5, 0.5], imageStd: [0.5, 0.5, 0.5] };
  const batch = await packSamples(samples, { padId: 0, patches });
  return { batch, ropeDeltas: samples.map(({ ropeDelta }) => ropeDelta) };
}
