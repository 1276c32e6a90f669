/**
 * Tries the largest samples before a run begins, so that memory runs out now and not hours later, and time is measured and not
 * guessed. Neither adapter nor optimizer nor random state changes. Of samples that are encoded as the run comes to them, those
 * that are known are tried.
 */
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { PlanAlternative, RunPlan } from '../protocol/messages.ts';
import type { GenerationOptions } from '../generation/options.ts';
import { withCompletion } from '../processing/completion.ts';
import type { EncodedSample, PackedBatch } from '../processing/types.ts';
import { lighterSettings } from '../training/alternatives.ts';
import { rolloutShape, samplesAnswers } from '../training/methods/rollout-plan.ts';
import { heldBy, microBatchWork, planRun } from '../training/planner.ts';
import type { SampleSize } from '../training/sample-size.ts';
import { take } from '../training/supply.ts';
import { samplingWork, type WorkSpeed } from '../training/work.ts';
import type { SessionSample } from './encoded-dataset.ts';
import type { Progress } from './progress.ts';
import type { RunIngredients } from './run-builder.ts';
import { longestEdge, sampleSizes, sizesUnder, validationSizes } from './sample-sizes.ts';

/** Below this estimate no device runs out of memory, and the first step tells the time soon enough. */
export const TRIAL_BYTES = 2 ** 28;

const BYTES_PER_NUMBER = 4;
/** Reads of new tokens after which the pace of decoding is known. */
const DECODING_READS = 3;

/** A step that does not fit, and what would. */
export class DoesNotFit extends LorikeetError {
  constructor(
    cause: LorikeetError,
    readonly neededBytes: number,
    readonly alternatives: PlanAlternative[],
  ) {
    super(cause.code, cause.message, cause.advice, cause.place, { cause });
  }
}

export interface Trial {
  /** As estimated, with what was measured. */
  plan: RunPlan;
  /** Of this device at this work. */
  speed: WorkSpeed;
}

/** A sample and how large it is. */
interface Unit {
  index: number;
  size: SampleSize;
}

/**
 * Runs forward, backward and optimizer on the largest micro-batch, and begins the longest answers of a method that samples.
 * @param plan as estimated for these ingredients
 * @param speed that the estimate was made with
 * @returns null when the run is too small to be tried
 * @throws DoesNotFit when memory runs out
 */
export async function tryLargest(parts: RunIngredients, plan: RunPlan, speed: WorkSpeed | null, onProgress: Progress): Promise<Trial | null> {
  if (plan.memory.total < TRIAL_BYTES) return null;
  onProgress(0, 1);
  const { config, dataset, model, files, processor } = parts;
  const { architecture } = files;
  const planned = await dataset.planned();
  const sizes = sampleSizes(planned, config, processor.sharesPrompts);
  const largest = largestUnits(planned.map(({ index }, i) => ({ index, size: sizes[i] })), heldBy(architecture), config);
  const tried = planRun(architecture, config, sizes, speed).memory.total;
  await model.trim();
  try {
    const decoding = samplesAnswers(config) ? await decodingSpeed(parts, largest) : null;
    const seconds = await model.rehearse(await largestBatch(parts, largest), config.method !== 'sft');
    const units = samplesAnswers(config) ? largest.slice(0, 1) : largest;
    const passes = microBatchWork(architecture, config, units.map(({ size }) => size)) / seconds;
    const measured = { passes, decoding: decoding ?? speed?.decoding ?? null };
    // The copy that is read when the run is stored comes on top.
    const peak = model.peakBytes() + BYTES_PER_NUMBER * plan.trainableParameters;
    onProgress(1, 1);
    const { memory, ...rest } = planRun(architecture, config, sizes, measured, await validationSizes(dataset, config, processor.sharesPrompts));
    const { weights, adapterAndOptimizer } = memory;
    // A validation is not tried: where it takes more than training, its estimate stands.
    const total = memory.total > tried ? Math.max(peak, memory.total) : peak;
    const activations = Math.max(0, total - weights - adapterAndOptimizer);
    return { plan: { ...rest, warnings: plan.warnings, memory: { weights, adapterAndOptimizer, activations, total }, measured: true }, speed: measured };
  } catch (error) {
    if (!(error instanceof LorikeetError) || error.code !== 'out-of-memory') throw error;
    // Among the free buffers are some that the GPU never gave: the next start must not take them.
    await model.trim();
    const facts = {
      longestEdge: longestEdge(planned, processor),
      sizesOf: (changed: TrainingConfig) => sizesUnder(planned, changed, config, processor),
    };
    throw new DoesNotFit(error, tried, lighterSettings(architecture, config, facts, speed));
  }
}

/** Units of the largest micro-batch; of methods that sample answers the prompts of the largest rollout. */
function largestUnits(units: readonly Unit[], held: (size: SampleSize) => number, config: TrainingConfig): Unit[] {
  const count = samplesAnswers(config) ? rolloutShape(config).prompts : config.per_device_train_batch_size;
  return units
    .map((unit) => ({ unit, numbers: held(unit.size) }))
    .sort((a, b) => b.numbers - a.numbers)
    .slice(0, count)
    .map(({ unit }) => unit);
}

async function largestBatch({ config, dataset, processor }: RunIngredients, largest: readonly Unit[]): Promise<PackedBatch> {
  if (!samplesAnswers(config)) {
    const samples = await take(dataset.train, largest.map(({ index }) => index));
    return processor.pack(samples.flatMap(sidesOf), samples.flatMap((sample, i) => sidesOf(sample).map(() => i)));
  }
  // The longest prompt over and over, with answers that all reach the limit.
  const { encoded } = await dataset.train.at(largest[0].index);
  const ids = new Array<number>(config.max_completion_length).fill(processor.padId);
  const answer = withCompletion(encoded, ids, { imageTokenId: processor.imageTokenId });
  const rows = Array.from({ length: rolloutShape(config).rows }, (_, row) => row);
  return processor.pack(rows.map(() => answer), rows.map((row) => Math.floor(row / config.num_generations)));
}

const sidesOf = ({ encoded, rejected }: SessionSample): EncodedSample[] => (rejected ? [encoded, rejected] : [encoded]);

/** Operations a second while answers are sampled: holds all that the longest answers need, and ends them once their pace is known. */
async function decodingSpeed({ config, dataset, model, files, processor }: RunIngredients, largest: readonly Unit[]): Promise<number> {
  const prompts = (await take(dataset.train, largest.map(({ index }) => index))).map(({ encoded }) => encoded);
  const started = performance.now();
  const reads: { tokens: number; at: number }[] = [];
  const batch = await processor.pack(prompts);
  const options: GenerationOptions = {
    maxNewTokens: config.max_completion_length,
    stopIds: [],
    numGenerations: config.num_generations,
    sampling: { temperature: config.temperature, topK: config.top_k, topP: config.top_p, repetitionPenalty: config.repetition_penalty, seed: config.seed, firstSequence: 0 },
    suppressId: processor.imageTokenId,
    adapter: 'policy',
    onTokens: (fresh) => {
      reads.push({ tokens: fresh.reduce((sum, ids) => sum + ids.length, 0), at: performance.now() });
      return reads.length < DECODING_READS;
    },
  };
  await model.contained(batch, () => model.generate(batch, prompts.map(({ ropeDelta }) => ropeDelta), options));
  // Until the first read prompts are computed and kernels compiled; short answers have no other.
  const counted = reads.length > 1 ? reads.slice(1) : reads;
  const from = reads.length > 1 ? reads[0].at : started;
  const tokens = counted.reduce((sum, read) => sum + read.tokens, 0);
  const sizes = largest.map(({ size }) => size);
  const perToken = samplingWork(files.architecture, config, sizes).decoding / sizes[0].labelTokens;
  return (perToken * tokens * 1000) / (reads[reads.length - 1].at - from);
}
