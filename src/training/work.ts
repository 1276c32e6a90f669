/**
 * What a run has to compute, and how long that takes a device.
 *
 * 2 floating-point operations per weight and row forward; backward as much again, recomputation as much again; attention
 * 4 · S · (rows of the own sample) · Q per layer and pass. Tokens that are sampled go through the decoder and the head once more,
 * one after the other, which no device does at the speed of whole passes: they are counted apart.
 */
import type { Architecture, LayerShape, LinearModule } from '../families/architecture.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { samplesAnswers } from './methods/rollout-plan.ts';
import type { SampleSize } from './sample-size.ts';

/** Floating-point operations by the kind of work. */
export interface Work {
  /** Forward and backward over whole samples. */
  passes: number;
  /** Answers sampled token by token. */
  decoding: number;
}

/** Operations a second by the kind of work, as this device was measured. */
export interface WorkSpeed {
  readonly passes: number;
  /** Null before any answer was sampled: it says nothing that products are quick. */
  readonly decoding: number | null;
}

/** @returns null where a kind of work was not measured */
export function secondsFor({ passes, decoding }: Work, speed: WorkSpeed | null): number | null {
  if (!speed) return null;
  if (decoding === 0) return passes / speed.passes;
  return speed.decoding === null ? null : passes / speed.passes + decoding / speed.decoding;
}

type WorkConfig = Pick<TrainingConfig, 'method' | 'beta' | 'precompute_ref_log_probs' | 'gradient_checkpointing' | 'num_iterations' | 'num_generations'>;

/** Operations of an average optimizer step. @param perStep units of data in it */
export function stepWork(model: Architecture, config: WorkConfig, sizes: readonly SampleSize[], visionAdapted: boolean, perStep: number): Work {
  const training = trainingWork(model, config, sizes, visionAdapted);
  const forward = forwardWork(model, sizes);
  if (!samplesAnswers(config)) {
    // A reference that is not known beforehand is one more forward pass.
    const reference = config.method === 'dpo' && !config.precompute_ref_log_probs ? forward : 0;
    return { passes: (training + reference) * perStep, decoding: 0 };
  }
  const reference = config.beta > 0 ? forward : 0;
  const { prefill, decoding } = samplingWork(model, config, sizes);
  // Several steps learn from the same answers, which are scored once more for that.
  const iterations = config.num_iterations;
  const before = (prefill + (iterations > 1 ? forward : 0)) / iterations;
  return { passes: (training + reference + before) * perStep, decoding: (decoding / iterations) * perStep };
}

/** Operations of forward and backward pass over an average unit of data. */
export function trainingWork(model: Architecture, { gradient_checkpointing }: Pick<WorkConfig, 'gradient_checkpointing'>, sizes: readonly SampleSize[], visionAdapted: boolean): number {
  const passes = gradient_checkpointing ? 3 : 2;
  const { text, vision, head } = partsOf(model, sizes);
  return text * passes + vision * (visionAdapted ? passes : 1) + head * 3;
}

/** Operations that answer an average prompt with a whole group of the longest answers. */
export function samplingWork({ config, shapes, linearModules }: Architecture, { num_generations: group }: Pick<WorkConfig, 'num_generations'>, sizes: readonly SampleSize[]): { prefill: number; decoding: number } {
  const weights = weightsOf(linearModules, 'language_model');
  const queries = attendedWidth(shapes.text);
  const mean = meanOf(sizes);
  const prefill = mean((size) => passOver(promptOf(size, group), weights, queries)) + mean((size) => visionWork({ config, shapes, linearModules }, size)) / (sizes.some(({ shared }) => shared) ? 1 : group);
  const decoding = mean((size) => {
    const answer = size.labelTokens / group;
    return size.labelTokens * (2 * weights + 2 * config.hiddenSize * config.vocabSize + 4 * (promptOf(size, group) + answer / 2) * queries);
  });
  return { prefill, decoding };
}

/** Tokens of the prompt of a unit that consists of a prompt and a group of answers. */
export function promptOf({ tokens, labelTokens, shared }: SampleSize, group: number): number {
  return shared?.tokens ?? (tokens - labelTokens) / group;
}

function forwardWork(model: Architecture, sizes: readonly SampleSize[]): number {
  const { text, vision, head } = partsOf(model, sizes);
  return text + vision + head;
}

/** One forward pass over an average unit. */
function partsOf(model: Architecture, sizes: readonly SampleSize[]): { text: number; vision: number; head: number } {
  const { config, shapes, linearModules } = model;
  const mean = meanOf(sizes);
  const weights = weightsOf(linearModules, 'language_model');
  const queries = attendedWidth(shapes.text);
  return {
    text: mean(({ tokens }) => passOver(tokens, weights, queries)),
    vision: mean((size) => visionWork(model, size)),
    head: mean(({ labelTokens }) => 2 * config.hiddenSize * config.vocabSize * labelTokens),
  };
}

const meanOf = (sizes: readonly SampleSize[]) => (of: (size: SampleSize) => number) => sizes.reduce((sum, size) => sum + of(size), 0) / sizes.length;

/** Each token looks at those before it: at half of all on average. */
const passOver = (tokens: number, weights: number, queries: number) => 2 * weights * tokens + (4 * tokens * tokens * queries) / 2;

function visionWork({ config, shapes, linearModules }: Pick<Architecture, 'config' | 'shapes' | 'linearModules'>, { patches }: SampleSize): number {
  const weights = weightsOf(linearModules, 'visual') + weightsOf(linearModules, 'visual', true) / config.spatialMergeSize ** 2;
  return 2 * weights * patches + 4 * patches * patches * attendedWidth(shapes.vision);
}

function weightsOf(modules: readonly LinearModule[], part: LinearModule['part'], merger = false): number {
  return modules.reduce((sum, module) => sum + (module.part === part && module.path.includes('merger') === merger ? module.inFeatures * module.outFeatures : 0), 0);
}

const attendedWidth = (stack: readonly LayerShape[]) => stack.reduce((sum, { attends, queries }) => sum + (attends ? queries : 0), 0);
