/** Puts a training run together from a model, a dataset and settings. */
import type { ModelFiles } from '../checkpoint/model-files.ts';
import { patchesOfAll } from '../families/media.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import type { RunEnvironment, RunNotice } from '../protocol/log.ts';
import type { TrainerEvent } from '../protocol/messages.ts';
import { say, type Saying } from '../protocol/sayings.ts';
import { LORIKEET_VERSION } from '../protocol/version.ts';
import { withCompletion } from '../processing/completion.ts';
import type { Processor } from '../processing/processor.ts';
import type { PackedBatch } from '../processing/types.ts';
import type { RunWriter } from '../storage/run-writer.ts';
import { Checkpoints, type AdapterFormat } from '../training/checkpoints.ts';
import type { Evaluation } from '../training/evaluation.ts';
import { TrainingRun } from '../training/loop.ts';
import type { AdapterTensor } from '../checkpoint/adapter-tensor.ts';
import { take } from '../training/supply.ts';
import type { TrainableModel } from '../training/trainable-model.ts';
import { peftFormat } from '../training/peft-format.ts';
import type { SampleSize } from '../training/planner.ts';
import { rolloutShape } from '../training/methods/rollout-plan.ts';
import type { RewardFault, Scorer } from '../training/methods/scorer.ts';
import type { SampleEncoder, SessionSample } from './encoded-dataset.ts';
import type { Engine } from './engine.ts';
import { buildMethod } from './method-builder.ts';
import type { ReportProgress } from './progress.ts';
import type { PlannedSample, RunData } from './run-data.ts';

export interface RunIngredients {
  config: TrainingConfig;
  modelName: string;
  files: ModelFiles;
  processor: Processor;
  encoder: SampleEncoder;
  dataset: RunData;
  model: TrainableModel;
  /** Null for methods without rewards. */
  scorer: Scorer | null;
}

function adapterFormat({ config, modelName, files }: Pick<RunIngredients, 'config' | 'modelName' | 'files'>): AdapterFormat {
  const { r, lora_alpha, lora_dropout, target_modules, use_rslora, rank_pattern, alpha_pattern } = config;
  return peftFormat({ base_model_name_or_path: modelName, r, lora_alpha, lora_dropout, target_modules, use_rslora, rank_pattern, alpha_pattern }, files.architecture);
}

/** Where a run writes, and whom it tells. */
export interface RunWork {
  writer: RunWriter;
  validator: Evaluation | null;
  emit: (event: TrainerEvent) => void;
  progress: ReportProgress;
}

/** Faulty samples that a run's notices name; the data page lists all. */
const MAX_REPLACED = 50;

/** Directory of the adapter that a run started from: its reference model, also after a resume. */
const START_DIRECTORY = 'start';

/**
 * Puts a starting adapter into the model, and makes it the reference where the method has one.
 * @throws LorikeetError "adapter" when its modules are not those of target_modules
 */
export async function startFrom(model: TrainableModel, tensors: readonly AdapterTensor[], config: TrainingConfig): Promise<void> {
  await model.writeAdapter(tensors);
  if (config.method !== 'sft') await model.setReference(tensors);
}

/** Keeps the starting adapter with the run. */
export async function keepStart(parts: RunIngredients, writer: RunWriter, tensors: readonly AdapterTensor[]): Promise<void> {
  await writer.writeDirectory(START_DIRECTORY, 0, adapterFormat(parts).write(tensors));
}

/** The adapter that a stored run started from, or null. */
export async function readStart(parts: RunIngredients, writer: RunWriter): Promise<AdapterTensor[] | null> {
  if (!Object.hasOwn(writer.directories, START_DIRECTORY)) return null;
  return adapterFormat(parts).read(await writer.readDirectory(START_DIRECTORY));
}

/** The run, ready to be restored or started. */
export async function buildRun(parts: RunIngredients, work: RunWork): Promise<TrainingRun> {
  const { config, dataset, model } = parts;
  const { writer, validator, emit, progress } = work;
  model.onLayers = progress('step', 'layers');
  const warn = (saying: Saying) => {
    const notice: RunNotice = { step: run.stepsDone, level: 'warning', ...saying, time: new Date().toISOString() };
    writer.notice(notice);
    emit({ type: 'notice', runId: writer.run.id, notice });
  };
  const onFault = ({ name, count, reason }: RewardFault) => warn(say('rewardFaults', { name, count, reason }));
  const replaced = new Set<string>();
  dataset.onReplaced = ({ place, message }) => {
    const sample = `${place.file} ${place.sample}`;
    if (replaced.has(sample) || replaced.size >= MAX_REPLACED) return;
    replaced.add(sample);
    warn(say('sampleReplaced', { reason: message }));
  };
  const run: TrainingRun = new TrainingRun({
    config,
    model,
    method: buildMethod(parts, { model, writer, progress, onFault }),
    dataFingerprint: await dataset.fingerprint(),
    validator,
    writer,
    checkpoints: new Checkpoints(writer, model, adapterFormat(parts), config.save_total_limit),
    emit,
    vocabularySize: parts.processor.architecture.config.vocabSize,
    clock: () => performance.now(),
  });
  return run;
}

/**
 * Sizes of all samples, for the planner.
 * @param shares whether the answers to a prompt share one copy of it
 */
export function sampleSizes(samples: readonly PlannedSample[], config: TrainingConfig, shares: boolean): SampleSize[] {
  return samples.map(({ sample: { encoded, rejected, shared: copied = 0 } }) => {
    const patches = patchesOfAll(encoded.media);
    const prompt = encoded.inputIds.length;
    if (sampling(config)) {
      const { num_generations: group, max_completion_length: answer } = config;
      const copies = shares ? 1 : group;
      return { tokens: copies * prompt + group * answer, patches: copies * patches, labelTokens: group * answer, ...(shares && { shared: { tokens: prompt, patches } }) };
    }
    if (!rejected) return { tokens: prompt, patches, labelTokens: encoded.labelTokens };
    const shared = shares ? copied : 0;
    return { tokens: prompt + rejected.inputIds.length - shared, patches: shared > 0 ? patches : 2 * patches, labelTokens: encoded.labelTokens + rejected.labelTokens };
  });
}

/** Below this estimate no device runs out of memory. */
const TRIAL_BYTES = 2 ** 30;

/**
 * Runs the largest possible micro-batch forward and backward before a run starts, so that memory runs out now and not
 * hours later. All weights or slopes of the loss are zero, so gradients stay zero and nothing else is touched.
 * @throws LorikeetError "out-of-memory"
 */
export async function tryLargestBatch({ config, dataset, processor, model }: RunIngredients, estimatedBytes: number): Promise<void> {
  if (estimatedBytes < TRIAL_BYTES) return;
  const batch = await (sampling(config) ? worstAnswers(dataset, config, processor) : worstSamples(dataset, config, processor));
  if (config.method === 'sft') await (await model.forwardBackward(batch, new Float32Array(batch.targetIds.length), 0)).read();
  else await model.forwardBackwardOf(batch, ({ logProbs }) => new Float32Array(logProbs.length), { temperature: 1, dropoutStep: null });
}

const sampling = ({ method }: TrainingConfig) => method === 'grpo' || method === 'grpo-trl';

const longestFirst = <T>(samples: readonly T[], length: (sample: T) => number) => [...samples].sort((a, b) => length(b) - length(a));

/** The longest samples, or pairs, together. */
async function worstSamples(data: RunData, config: TrainingConfig, processor: Processor): Promise<PackedBatch> {
  const tokens = ({ sample: { encoded, rejected } }: PlannedSample) => encoded.inputIds.length + (rejected?.inputIds.length ?? 0);
  const sides = ({ encoded, rejected }: SessionSample) => (rejected ? [encoded, rejected] : [encoded]);
  const longest = await take(data.train, longestFirst(await data.planned(), tokens).slice(0, config.per_device_train_batch_size).map(({ index }) => index));
  return processor.pack(longest.flatMap(sides), longest.flatMap((sample, i) => sides(sample).map(() => i)));
}

/** The longest prompt over and over, with answers that all reach the limit. */
async function worstAnswers(data: RunData, config: TrainingConfig, processor: Processor): Promise<PackedBatch> {
  const ids = new Array<number>(config.max_completion_length).fill(processor.padId);
  const [{ index }] = longestFirst(await data.planned(), ({ sample }) => sample.encoded.inputIds.length);
  const { encoded } = await data.train.at(index);
  const answer = withCompletion(encoded, ids, { imageTokenId: processor.imageTokenId });
  const rows = Array.from({ length: rolloutShape(config).rows }, (_, row) => row);
  return processor.pack(rows.map(() => answer), rows.map((row) => Math.floor(row / config.num_generations)));
}

/** Device, software and precision that a run is made with. */
export function environmentOf({ device, kernels }: Engine, config: TrainingConfig): RunEnvironment {
  const linear = config.load_in_4bit ? 'nf4, double quantised' : config.load_in_8bit ? 'int8' : 'none';
  return {
    lorikeet_version: LORIKEET_VERSION,
    user_agent: navigator.userAgent,
    adapter: device.adapter,
    features: device.features,
    mixed_precision: config.mixed_precision === 'f16' && device.features.includes('shader-f16') ? 'f16' : 'no',
    kernel_choices: { ...kernels.inForce },
    quantization: linear === 'none' || config.quantize_vision ? linear : `${linear}; vision unquantised`,
  };
}

