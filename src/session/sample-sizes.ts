/** Sizes of a run's samples, as they are and as other settings would make them. */
import { selectIndices } from '../data/sampler.ts';
import { patchesOfAll } from '../families/media.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { seenSize } from '../processing/prepare-image.ts';
import type { Processor } from '../processing/processor.ts';
import { samplesAnswers } from '../training/methods/rollout-plan.ts';
import type { SampleSize } from '../training/sample-size.ts';
import type { PlannedSample, RunData, SampleMeasures } from './run-data.ts';

/**
 * Sizes of all samples, for the planner.
 * @param shares whether the answers to a prompt share one copy of it
 */
export function sampleSizes(samples: readonly PlannedSample[], config: TrainingConfig, shares: boolean): SampleSize[] {
  return samples.map(({ sample: { encoded, rejected, shared: copied = 0 } }) => {
    const patches = patchesOfAll(encoded.media);
    const prompt = encoded.inputIds.length;
    if (samplesAnswers(config)) {
      const { num_generations: group, max_completion_length: answer } = config;
      const copies = shares ? 1 : group;
      return { tokens: copies * prompt + group * answer, patches: copies * patches, labelTokens: group * answer, ...(shares && { shared: { tokens: prompt, patches } }) };
    }
    if (!rejected) return { tokens: prompt, patches, labelTokens: encoded.labelTokens };
    const shared = shares ? copied : 0;
    return { tokens: prompt + rejected.inputIds.length - shared, patches: shared > 0 ? patches : 2 * patches, labelTokens: encoded.labelTokens + rejected.labelTokens };
  });
}

/** Sizes of the samples that a run validates on; none where it does not. */
export async function validationSizes(data: Pick<RunData, 'validation' | 'plannedValidation'>, config: TrainingConfig, shares: boolean): Promise<SampleSize[]> {
  if (config.eval_steps === 0) return [];
  const chosen = selectIndices(data.validation.length, config.eval_num_samples, config.eval_sample_selection, config.seed);
  return sampleSizes(await data.plannedValidation(chosen), config, shares);
}

type Sight = Pick<Processor, 'preprocessor' | 'sharesPrompts'>;

/** Longest edge of any picture as the model sees it, in pixels; 0 without pictures. */
export function longestEdge(samples: readonly PlannedSample[], { preprocessor }: Sight): number {
  let longest = 0;
  for (const { sample } of samples) {
    for (const { kind, grid } of sample.encoded.media) if (kind === 'image') longest = Math.max(longest, Math.max(grid[1], grid[2]) * preprocessor.patchSize);
  }
  return longest;
}

/**
 * Sizes that samples would have under other settings, without encoding them again: pictures as a smaller max_image_size makes
 * them, samples above max_length left out.
 * @param config the settings that they were encoded with
 */
export function sizesUnder(samples: readonly PlannedSample[], changed: TrainingConfig, config: TrainingConfig, processor: Sight): SampleSize[] {
  const shrunk = changed.max_image_size === config.max_image_size ? samples : samples.map((planned) => shrink(planned, changed.max_image_size, processor));
  const kept = shrunk.filter(({ sample: { encoded, rejected } }) => Math.max(encoded.inputIds.length, rejected?.inputIds.length ?? 0) <= changed.max_length);
  return sampleSizes(kept, changed, processor.sharesPrompts);
}

function shrink({ index, sample }: PlannedSample, edge: number, { preprocessor }: Sight): PlannedSample {
  const { patchSize, mergeSize } = preprocessor;
  const media = sample.encoded.media.map((medium) => {
    if (medium.kind !== 'image') return medium;
    const [t, rows, columns] = medium.grid;
    const { height, width } = seenSize({ height: rows * patchSize, width: columns * patchSize }, preprocessor, edge);
    return { ...medium, grid: [t, height / patchSize, width / patchSize] as const };
  });
  const saved = (patchesOfAll(sample.encoded.media) - patchesOfAll(media)) / mergeSize ** 2;
  const smaller = (side: SampleMeasures): SampleMeasures => ({ ...side, media, inputIds: { length: side.inputIds.length - saved } });
  const { source, encoded, rejected, shared } = sample;
  return { index, sample: { source, encoded: smaller(encoded), ...(rejected && { rejected: smaller(rejected) }), ...(shared !== undefined && { shared: Math.max(0, shared - saved) }) } };
}
