/** Settings that would need less memory than those that did not fit, each with what it would cost. */
import type { Architecture } from '../families/architecture.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import type { PlanAlternative } from '../protocol/messages.ts';
import { planRun } from './planner.ts';
import type { SampleSize } from './sample-size.ts';
import type { WorkSpeed } from './work.ts';

const SHOWN = 3;
/** What saves less is no way out. */
const LEAST_SAVING = 0.03;
const SMALL_RANK = 8;
const LEAST_COMPLETION = 64;
/** Pictures are not made smaller than this, in pixels. */
const LEAST_IMAGE = 128;

/** One setting that needs less, or two that only make sense together; null where it does not apply. */
type Change = (config: TrainingConfig, facts: SampleFacts) => Partial<TrainingConfig> | null;

/** What changes look at besides the settings. */
export interface SampleFacts {
  /** Longest edge of any picture as the model sees it, in pixels; 0 where there are none. */
  longestEdge: number;
  /** Sizes of the training samples under these settings; of samples that they leave out nothing. */
  sizesOf: (config: TrainingConfig) => readonly SampleSize[];
}

const CHANGES: readonly Change[] = [
  ({ gradient_checkpointing }) => (gradient_checkpointing ? null : { gradient_checkpointing: true }),
  ({ load_in_4bit }) => (load_in_4bit ? null : { load_in_4bit: true, load_in_8bit: false }),
  // The same number of samples a step, one at a time. TRL's GRPO counts answers, of which a step needs whole groups: the product stays.
  ({ per_device_train_batch_size: size, gradient_accumulation_steps: accumulation }) => (size > 1 ? { per_device_train_batch_size: 1, gradient_accumulation_steps: size * accumulation } : null),
  ({ method, max_completion_length: length }) => (method.startsWith('grpo') && length > LEAST_COMPLETION ? { max_completion_length: Math.max(LEAST_COMPLETION, Math.floor(length / 2)) } : null),
  ({ max_image_size }, { longestEdge }) => {
    const edge = Math.floor(Math.min(longestEdge, max_image_size || Infinity) / 2);
    return edge >= LEAST_IMAGE ? { max_image_size: edge } : null;
  },
  ({ r, lora_alpha }) => (r > SMALL_RANK ? { r: SMALL_RANK, lora_alpha: Math.max(1, Math.round((lora_alpha * SMALL_RANK) / r)) } : null),
  (config, { sizesOf }) => {
    if (config.method !== 'sft') return null;
    const lengths = sizesOf(config).map(({ tokens }) => tokens).sort((a, b) => a - b);
    const limit = lengths[Math.floor((lengths.length - 1) * 0.9)];
    return limit < 0.9 * lengths[lengths.length - 1] ? { max_length: limit } : null;
  },
];

/**
 * @returns at most three, those that save most first
 */
export function lighterSettings(model: Architecture, config: TrainingConfig, facts: SampleFacts, speed: WorkSpeed | null): PlanAlternative[] {
  const all = facts.sizesOf(config);
  const needed = planRun(model, config, all, speed).memory.total;
  return CHANGES.flatMap((change) => {
    const settings = change(config, facts);
    if (!settings) return [];
    const changed = { ...config, ...settings };
    const sizes = facts.sizesOf(changed);
    if (sizes.length === 0) return [];
    const { memory, stepSeconds } = planRun(model, changed, sizes, speed);
    return memory.total < needed * (1 - LEAST_SAVING) ? [{ settings, bytes: memory.total, stepSeconds, samplesLeftOut: all.length - sizes.length }] : [];
  })
    .sort((a, b) => a.bytes - b.bytes)
    .slice(0, SHOWN);
}
