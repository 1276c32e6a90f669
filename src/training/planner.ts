/**
 * What a run will need, worked out from shapes before anything is allocated.
 *
 * Memory, in bytes (float32 = 4), S rows of the largest micro-batch rounded up to the bucket, P its image patches, a prompt
 * that several answers share counting once in both;
 * T its label tokens; H, I, Q, K hidden, MLP, query and key widths; L layers; r the rank; v… the same of the vision tower:
 *   weights        every linear layer as it is stored (NF4 with double-quantised scales, int8 or bf16), the rest bf16
 *   adapter        4 · 4 · trainable numbers: value, gradient, and AdamW's m and v
 *   one layer      S · (3H + 3Q + 3K + 3I + 7r) kept for its backward, and S · (H + 3I) of gradients where it is widest,
 *                  or what its mixer needs meanwhile where that is more
 *   held           S · H · (L + 1) inputs of layers; without checkpointing every layer besides; the features of the images
 *   passing        the largest of: a layer and its gradients, or only these without checkpointing;
 *                  the head, T · 3H and logits, at most 2²⁴ at a time; the images, P · pixels or one vision block
 *   activations    4 · (held + passing), and a fifth for the pool, whose free buffers do not always fit the next tensor
 * An adapted vision tower holds its block inputs, and its blocks as the decoder does.
 * Time: 2 floating-point operations per weight and row forward; backward as much again, recomputation as much again;
 * attention 4 · S · (rows of the own sample) · Q per layer and pass.
 */
import { adaptedModules, type AdaptedLinear } from '../checkpoint/adapted-modules.ts';
import type { Architecture, LayerShape, LinearModule, ModelConfig, ModelShapes } from '../families/architecture.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { MAX_LOGITS, ROW_BUCKET } from '../protocol/limits.ts';
import type { RunPlan } from '../protocol/messages.ts';
import { say, type Saying } from '../protocol/sayings.ts';
import { memoryBytes } from '../quantization/packed-weight.ts';
import type { WeightKind } from '../quantization/packed-weight.ts';
import { BatchPlan } from './batches.ts';
import { RolloutPlan, rolloutShape } from './methods/rollout-plan.ts';

/** Sizes of one unit of data: a sample, a pair, or a prompt with all its answers. */
export interface SampleSize {
  tokens: number;
  patches: number;
  labelTokens: number;
  /** What of this every part of the unit needs whole: the prompt that its answers share. */
  shared?: { tokens: number; patches: number };
}

const FLOAT = 4;
const POOL_SLACK = 1.2;
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
 * @param flopsPerSecond what the device has been measured to do, or null
 * @throws LorikeetError "config" when target_modules match nothing
 */
export function planRun(model: Architecture, config: TrainingConfig, sizes: readonly SampleSize[], flopsPerSecond: number | null, validationSamples = 0): RunPlan {
  const steps = stepShape(config, sizes.length);
  const adapted = adaptedModules(model.linearModules, config);
  const trainableParameters = adapted.reduce((sum, { r, inFeatures, outFeatures }) => sum + r * (inFeatures + outFeatures), 0);
  const visionAdapted = adapted.some(({ part }) => part === 'visual');
  const largest = largestBatch(sizes, steps.perMicroBatch);
  const weights = weightBytes(model, config);
  const adapterAndOptimizer = 4 * FLOAT * trainableParameters;
  const activations = activationBytes(model, config, largest, visionAdapted);
  const stepSeconds = flopsPerSecond === null ? null : stepFlops(model, config, sizes, visionAdapted, steps.perStep) / flopsPerSecond;
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
    warnings: warningsOf(config, adapted, steps.totalSteps, validationSamples, weights + adapterAndOptimizer + activations),
  };
}

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
  if (config.method === 'grpo' || config.method === 'grpo-trl') {
    const { totalSteps, stepsPerEpoch } = new RolloutPlan(config, count, () => []);
    const { prompts, rows } = rolloutShape(config);
    return { totalSteps, stepsPerEpoch, perStep: Math.min(prompts, count), perMicroBatch: rows / config.num_generations };
  }
  const { totalSteps, stepsPerEpoch } = new BatchPlan(config, count, () => []);
  const { per_device_train_batch_size: size, gradient_accumulation_steps: accumulation } = config;
  return { totalSteps, stepsPerEpoch, perStep: Math.min(size * accumulation, count), perMicroBatch: size };
}

/** The most that one micro-batch can hold: the largest samples together. */
export function largestBatch(sizes: readonly SampleSize[], batchSize: number): SampleSize {
  const part = Math.min(1, batchSize);
  const top = (key: 'tokens' | 'patches' | 'labelTokens') =>
    Math.ceil(
      sizes
        .map(({ [key]: whole, shared }) => {
          const once = key === 'labelTokens' ? 0 : (shared?.[key] ?? 0);
          return once + part * (whole - once);
        })
        .sort((a, b) => b - a)
        .slice(0, Math.ceil(batchSize))
        .reduce((sum, value) => sum + value, 0),
    );
  return { tokens: top('tokens'), patches: top('patches'), labelTokens: top('labelTokens') };
}

/** Bytes of all frozen weights on the GPU. */
export function weightBytes(model: Architecture, config: TrainingConfig): number {
  const packed = model.linearModules.reduce((sum, module) => sum + memoryBytes(weightKind(module, config), module.outFeatures, module.inFeatures), 0);
  const biases = model.linearModules.reduce((sum, { bias, outFeatures }) => sum + (bias ? 2 * outFeatures : 0), 0);
  return packed + biases + model.otherTensors.reduce((sum, { shape }) => sum + 2 * shape.reduce((product, side) => product * side, 1), 0);
}

function activationBytes({ config: model, shapes }: Architecture, config: TrainingConfig, batch: SampleSize, visionAdapted: boolean): number {
  const rows = Math.ceil(batch.tokens / ROW_BUCKET) * ROW_BUCKET;
  const text = stackNumbers(rows, config, shapes.text);
  const head = batch.labelTokens * 3 * model.hiddenSize + Math.min(MAX_LOGITS, batch.labelTokens * model.vocabSize);
  const images = imageNumbers(model, shapes, config, batch.patches, visionAdapted);
  return POOL_SLACK * FLOAT * (text.held + images.held + Math.max(text.passing, head, images.passing));
}

/** Numbers that stay for the whole step, and the most that one phase of it takes besides. */
interface Demand {
  held: number;
  passing: number;
}

function imageNumbers(model: ModelConfig, { vision, visionHidden: width, mergers }: ModelShapes, config: TrainingConfig, patches: number, adapted: boolean): Demand {
  if (patches === 0) return { held: 0, passing: 0 };
  const pixels = model.inChannels * model.temporalPatchSize * model.patchSize ** 2;
  const features = (patches / model.spatialMergeSize ** 2) * model.hiddenSize * mergers;
  const embedding = patches * (pixels + width);
  const block = Math.max(...vision.map((layer) => layerNumbers(config, layer).kept));
  if (!adapted) return { held: features, passing: Math.max(embedding, patches * (2 * width + block)) };
  const tower = stackNumbers(patches, config, vision);
  return { held: features + tower.held + patches * 3 * width * mergers, passing: Math.max(embedding, tower.passing) };
}

/** Numbers per row. */
function layerNumbers({ r }: Pick<TrainingConfig, 'r'>, { hidden, inner, innerTensors, queries, keys, extra, passing }: LayerShape): { kept: number; gradients: number } {
  return { kept: 3 * hidden + 3 * queries + 3 * keys + innerTensors * inner + 7 * r + extra, gradients: Math.max(hidden + innerTensors * inner, passing) };
}

function stackNumbers(rows: number, config: TrainingConfig, stack: readonly LayerShape[]): Demand {
  const layers = stack.map((layer) => layerNumbers(config, layer));
  const inputs = rows * stack[0].hidden * (stack.length + 1);
  if (config.gradient_checkpointing) return { held: inputs, passing: rows * Math.max(...layers.map(({ kept, gradients }) => kept + gradients)) };
  return { held: inputs + rows * layers.reduce((sum, { kept }) => sum + kept, 0), passing: rows * Math.max(...layers.map(({ gradients }) => gradients)) };
}

/** Operations of an average optimizer step. */
function stepFlops({ config: model, shapes, linearModules }: Architecture, config: TrainingConfig, sizes: readonly SampleSize[], visionAdapted: boolean, perStep: number): number {
  const mean = (of: (size: SampleSize) => number) => sizes.reduce((sum, size) => sum + of(size), 0) / sizes.length;
  const weightsOf = (part: LinearModule['part'], merger = false) =>
    linearModules
      .filter((module) => module.part === part && module.path.includes('merger') === merger)
      .reduce((sum, { inFeatures, outFeatures }) => sum + inFeatures * outFeatures, 0);
  const attended = (stack: readonly LayerShape[]) => stack.reduce((sum, { attends, queries }) => sum + (attends ? queries : 0), 0);
  const visionWeights = weightsOf('visual') + weightsOf('visual', true) / model.spatialMergeSize ** 2;
  const passes = config.gradient_checkpointing ? 3 : 2;
  const text = mean(({ tokens }) => 2 * weightsOf('language_model') * tokens + (4 * tokens * tokens * attended(shapes.text)) / 2);
  const vision = mean(({ patches }) => 2 * visionWeights * patches + 4 * patches * patches * attended(shapes.vision));
  const head = mean(({ labelTokens }) => 2 * model.hiddenSize * model.vocabSize * labelTokens);
  // Sampling computes every token once; a reference that is not known beforehand is one more forward pass.
  const sampling = config.method === 'grpo' || config.method === 'grpo-trl' ? 1 : 0;
  const reference = (sampling > 0 && config.beta > 0) || (config.method === 'dpo' && !config.precompute_ref_log_probs) ? 1 : 0;
  const perUnit = text * (passes + sampling + reference) + vision * ((visionAdapted ? passes : 1) + reference) + head * (3 + sampling + reference);
  return perUnit * perStep;
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
