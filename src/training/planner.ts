/**
 * What a run will need, worked out from shapes before anything is allocated.
 *
 * Memory, in bytes: the weights, every linear layer as it is stored (NF4 with double-quantised scales, int8 or bf16) and the
 * rest bf16; the adapter, 5 · 4 · trainable numbers: value, gradient, AdamW's m and v, and a copy on its way to storage; and what
 * passes take, see demand.ts.
 * Time: see work.ts.
 */
import { adaptedModules, type AdaptedLinear } from '../checkpoint/adapted-modules.ts';
import type { Architecture, LinearModule } from '../families/architecture.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import type { RunPlan } from '../protocol/messages.ts';
import { say, type Saying } from '../protocol/sayings.ts';
import { memoryBytes } from '../quantization/packed-weight.ts';
import type { WeightKind } from '../quantization/packed-weight.ts';
import { BatchPlan } from './batches.ts';
import { answeringPass, scoringPass, trainingPass, type PassShape } from './demand.ts';
import { RolloutPlan, rolloutShape, samplesAnswers } from './methods/rollout-plan.ts';
import { PoolForecast } from './pool-forecast.ts';
import { largestBatch, type SampleSize } from './sample-size.ts';
import { promptOf, secondsFor, stepWork, trainingWork, type Work, type WorkSpeed } from './work.ts';

/** Bytes of one float32. */
const FLOAT = 4;
/** Steps after which a pool holds what it will hold: free buffers of one serve the next in another order. */
const STEPS = 3;
/** Value, gradient, AdamW's m and v, and the copy of one of them that is read when the run is stored. */
const ADAPTER_COPIES = 5;
const GIB = 2 ** 30;

/** How one linear layer is stored under these settings. */
export function weightKind(module: LinearModule, config: Pick<TrainingConfig, 'load_in_4bit' | 'load_in_8bit' | 'quantize_vision'>): WeightKind {
  if (module.storedAs) return module.storedAs;
  if (!module.quantizable || (module.part === 'visual' && !config.quantize_vision)) return 'bf16';
  if (config.load_in_4bit) return 'nf4';
  return config.load_in_8bit ? 'int8' : 'bf16';
}

/**
 * @param sizes training samples, at least one
 * @param validation sizes of the samples that are validated on
 * @param speed what the device has been measured to do, or null
 * @throws LorikeetError "config" when target_modules match nothing
 */
export function planRun(model: Architecture, config: TrainingConfig, sizes: readonly SampleSize[], speed: WorkSpeed | null, validation: readonly SampleSize[] = []): RunPlan {
  const steps = stepShape(config, sizes.length);
  const adapted = adaptedModules(model.linearModules, config);
  const trainableParameters = adapted.reduce((sum, { r, inFeatures, outFeatures }) => sum + r * (inFeatures + outFeatures), 0);
  const weights = weightBytes(model, config);
  const adapterAndOptimizer = ADAPTER_COPIES * FLOAT * trainableParameters;
  const rankIn = (vision: boolean) => Math.max(0, ...adapted.filter(({ part }) => (part === 'visual') === vision).map(({ r }) => r));
  const pass: PassShape = { gradient_checkpointing: config.gradient_checkpointing, rank: rankIn(false), visionRank: rankIn(true) };
  const activations = activationBytes(model, config, pass, sizes, validation);
  const stepSeconds = secondsFor(workOf(model, config, sizes), speed);
  return {
    totalSteps: steps.totalSteps,
    stepsPerEpoch: steps.stepsPerEpoch,
    trainableParameters,
    adaptedModules: adapted.length,
    memory: { weights, adapterAndOptimizer, activations, total: weights + adapterAndOptimizer + activations },
    stepSeconds,
    totalSeconds: stepSeconds === null ? null : stepSeconds * steps.totalSteps,
    measured: false,
    pace: { logging_steps: config.logging_steps, eval_steps: config.eval_steps, save_steps: config.save_steps },
    warnings: warningsOf(config, adapted, steps.totalSteps, validation.length, weights + adapterAndOptimizer + activations),
  };
}

/** What an average step computes. */
export function workOf(model: Architecture, config: TrainingConfig, sizes: readonly SampleSize[]): Work {
  const visionAdapted = adaptedModules(model.linearModules, config).some(({ part }) => part === 'visual');
  return stepWork(model, config, sizes, visionAdapted, stepShape(config, sizes.length).perStep);
}

/** Operations of forward and backward pass over one micro-batch. @param units those in it */
export function microBatchWork(model: Architecture, config: TrainingConfig, units: readonly SampleSize[]): number {
  const visionAdapted = adaptedModules(model.linearModules, config).some(({ part }) => part === 'visual');
  const { perMicroBatch } = stepShape(config, units.length);
  if (perMicroBatch < 1) return trainingWork(model, config, [largestBatch(units, perMicroBatch)], visionAdapted);
  return trainingWork(model, config, units, visionAdapted) * (samplesAnswers(config) ? perMicroBatch : units.length);
}

/** Tells which units of data take most: by the inputs of layers, which are held whatever the settings. */
export function heldBy({ shapes }: Architecture): (size: SampleSize) => number {
  const widths = (stack: Architecture['shapes']['text']) => stack.reduce((sum, { hidden }) => sum + hidden, 0);
  const [text, vision] = [widths(shapes.text), widths(shapes.vision)];
  return ({ tokens, patches }) => text * tokens + vision * patches;
}

/** Bytes of all passes of a run, one after the other from the same pool, which keeps what each has taken. */
function activationBytes(model: Architecture, config: TrainingConfig, pass: PassShape, sizes: readonly SampleSize[], validation: readonly SampleSize[]): number {
  const pool = new PoolForecast();
  const batch = largestBatch(sizes, stepShape(config, sizes.length).perMicroBatch);
  if (config.eval_steps > 0 && validation.length > 0) validate(pool, model, config, pass, validation);
  if (config.method === 'dpo') scoringPass(pool, model, pass, batch);
  if (samplesAnswers(config)) answeringPass(pool, model, pass, longest(promptsOf(config, sizes), rolloutShape(config).prompts), config.num_generations, config.max_completion_length);
  for (let step = 0; step < STEPS; step++) trainingPass(pool, model, pass, batch);
  return pool.peakBytes;
}

function validate(pool: PoolForecast, model: Architecture, config: TrainingConfig, pass: PassShape, sizes: readonly SampleSize[]): void {
  // A pair is two samples.
  const atOnce = config.method === 'dpo' ? Math.max(1, Math.floor(config.eval_batch_size / 2)) : config.eval_batch_size;
  const together = Math.min(atOnce, sizes.length);
  if (!samplesAnswers(config)) scoringPass(pool, model, pass, largestBatch(sizes, together));
  pool.release();
  const answers = samplesAnswers(config) ? config.max_completion_length : config.method === 'sft' && config.eval_generate ? config.max_new_tokens : 0;
  if (answers > 0) answeringPass(pool, model, pass, longest(promptsOf(config, sizes), together), 1, answers);
  pool.release();
}

function promptsOf(config: TrainingConfig, sizes: readonly SampleSize[]): { tokens: number; patches: number }[] {
  if (!samplesAnswers(config)) return sizes.map(({ tokens, labelTokens, patches }) => ({ tokens: tokens - labelTokens, patches }));
  const group = config.num_generations;
  return sizes.map((size) => ({ tokens: promptOf(size, group), patches: size.shared?.patches ?? size.patches / group }));
}

const longest = <T extends { tokens: number }>(prompts: readonly T[], count: number): T[] => [...prompts].sort((a, b) => b.tokens - a.tokens).slice(0, count);

/** Units of data (samples, pairs, or prompts with all their answers) and steps. */
interface StepShape {
  totalSteps: number;
  stepsPerEpoch: number;
  perStep: number;
  /** May be a part of a unit where a micro-batch holds fewer answers than a group. */
  perMicroBatch: number;
}

/** Optimizer steps of a run. @param count training samples, at least 1 */
export function totalSteps(config: TrainingConfig, count: number): number {
  return stepShape(config, count).totalSteps;
}

function stepShape(config: TrainingConfig, count: number): StepShape {
  if (samplesAnswers(config)) {
    const { totalSteps, stepsPerEpoch } = new RolloutPlan(config, count, () => []);
    const { prompts, rows } = rolloutShape(config);
    return { totalSteps, stepsPerEpoch, perStep: Math.min(prompts, count), perMicroBatch: rows / config.num_generations };
  }
  const { totalSteps, stepsPerEpoch } = new BatchPlan(config, count, () => []);
  const { per_device_train_batch_size: size, gradient_accumulation_steps: accumulation } = config;
  return { totalSteps, stepsPerEpoch, perStep: Math.min(size * accumulation, count), perMicroBatch: size };
}

/** Bytes of all frozen weights on the GPU. */
export function weightBytes(model: Architecture, config: TrainingConfig): number {
  const packed = model.linearModules.reduce((sum, module) => sum + memoryBytes(weightKind(module, config), module.outFeatures, module.inFeatures), 0);
  const biases = model.linearModules.reduce((sum, { bias, outFeatures }) => sum + (bias ? 2 * outFeatures : 0), 0);
  return packed + biases + model.otherTensors.reduce((sum, { shape }) => sum + 2 * shape.reduce((product, side) => product * side, 1), 0);
}

function warningsOf(config: TrainingConfig, adapted: readonly AdaptedLinear[], steps: number, validationSamples: number, bytes: number): Saying[] {
  const warnings: Saying[] = [];
  if (config.eval_steps > 0 && validationSamples === 0) warnings.push(say('noValidationData'));
  if (config.eval_steps > steps && validationSamples > 0) warnings.push(say('tooFewStepsToValidate', { every: config.eval_steps, steps }));
  if (config.save_steps > steps && config.method !== 'grpo') warnings.push(say('tooFewStepsToSave', { every: config.save_steps, steps }));
  if (!config.load_in_4bit && !config.load_in_8bit && bytes > 6 * GIB) warnings.push(say('notQuantised'));
  const r = Math.max(...adapted.map((module) => module.r));
  if (r > 16) warnings.push(say('rankAboveVllm', { r }));
  if (adapted.some((module) => module.r !== adapted[0].r || module.scale !== adapted[0].scale)) warnings.push(say('patternsAndVllm'));
  return warnings;
}
