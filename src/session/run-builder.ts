/** Puts a training run together from a model, a dataset and settings. */
import { linearModules } from '../checkpoint/tensor-names.ts';
import type { ModelFiles } from '../checkpoint/model-files.ts';
import { epochOrder, selectIndices } from '../data/sampler.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { RunEnvironment } from '../protocol/log.ts';
import type { AnswerPreview, DeviceSummary, TrainerEvent } from '../protocol/messages.ts';
import { LORIKEET_VERSION } from '../protocol/version.ts';
import type { Processor } from '../processing/processor.ts';
import type { RunWriter } from '../storage/run-writer.ts';
import { Checkpoints, type AdapterFormat } from '../training/checkpoints.ts';
import type { Evaluation } from '../training/evaluation.ts';
import { countLabelTokens } from '../training/feeder.ts';
import { TrainingRun } from '../training/loop.ts';
import type { AdapterTensor, TrainableModel } from '../training/model-contract.ts';
import { peftFormat } from '../training/peft-format.ts';
import type { SampleSize } from '../training/planner.ts';
import { SftMethod } from '../training/methods/sft.ts';
import { Validator, type Pack } from '../training/validation.ts';
import { detectionTask } from './answers.ts';
import { fingerprintSamples } from './encoded-dataset.ts';
import type { EncodedDataset, SampleEncoder, SessionSample } from './encoded-dataset.ts';

export interface RunIngredients {
  config: TrainingConfig;
  modelName: string;
  files: ModelFiles;
  processor: Processor;
  encoder: SampleEncoder;
  dataset: EncodedDataset;
  model: TrainableModel;
}

/**
 * Validation of a run, or null when it has none.
 * @param earlier answers of the validation before a resume
 * @throws LorikeetError "config" when metric_for_best_model is not measured
 */
export function buildValidator(parts: Omit<RunIngredients, 'model' | 'files' | 'modelName'>, earlier: readonly AnswerPreview[]): Validator | null {
  const { config, dataset, processor, encoder } = parts;
  if (config.eval_steps === 0 || dataset.validation.length === 0) return null;
  const indices = selectIndices(dataset.validation.length, config.eval_num_samples, config.eval_sample_selection, config.seed);
  const chosen = indices.map((index) => ({ index, sample: dataset.validation[index].encoded }));
  const task = config.eval_generate ? detectionTask(processor, encoder, dataset, config) : null;
  return new Validator(config, chosen, (samples) => processor.pack(samples), task, earlier);
}

function adapterFormat({ config, modelName, files }: Pick<RunIngredients, 'config' | 'modelName' | 'files'>): AdapterFormat {
  const { r, lora_alpha, lora_dropout, target_modules, use_rslora } = config;
  return peftFormat({ base_model_name_or_path: modelName, r, lora_alpha, lora_dropout, target_modules, use_rslora }, linearModules(files.config));
}

/** Directory of the adapter that a run started from: its reference model, also after a resume. */
const START_DIRECTORY = 'start';

/**
 * Puts a starting adapter into the model.
 * @throws LorikeetError "adapter" when its modules are not those of target_modules
 */
export async function startFrom(model: TrainableModel, tensors: readonly AdapterTensor[]): Promise<void> {
  await model.writeAdapter(tensors);
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
export async function buildRun(parts: RunIngredients, writer: RunWriter, validator: Evaluation | null, emit: (event: TrainerEvent) => void): Promise<TrainingRun> {
  const { config, dataset, processor, model } = parts;
  if (config.method !== 'sft') throw new LorikeetError('config', `The method ${config.method} cannot be trained yet.`, 'Choose sft.', { field: 'method' });
  const samples = dataset.train.map(({ encoded }) => encoded);
  const pack: Pack = (batch) => processor.pack(batch);
  return new TrainingRun({
    config,
    model,
    method: new SftMethod(config, model, samples, (epoch) => epochOrder(samples.length, config.seed, epoch), pack),
    dataFingerprint: await fingerprintSamples(dataset.train),
    validator,
    writer,
    checkpoints: new Checkpoints(writer, model, adapterFormat(parts), config.save_total_limit),
    emit,
    clock: () => performance.now(),
  });
}

/** Sizes of all samples, for the planner. */
export function sampleSizes(samples: readonly SessionSample[]): SampleSize[] {
  return samples.map(({ encoded }) => ({
    tokens: encoded.inputIds.length,
    patches: encoded.grids.reduce((sum, [t, h, w]) => sum + t * h * w, 0),
    labelTokens: countLabelTokens(encoded),
  }));
}

/** Below this estimate no device runs out of memory. */
const TRIAL_BYTES = 2 ** 30;

/**
 * Runs the largest possible micro-batch forward and backward before a run starts, so that memory runs out now and not
 * hours later. All weights of the loss are zero, so gradients stay zero and nothing else is touched.
 * @throws LorikeetError "out-of-memory"
 */
export async function tryLargestBatch({ config, dataset, processor, model }: RunIngredients, estimatedBytes: number): Promise<void> {
  if (estimatedBytes < TRIAL_BYTES) return;
  const longest = [...dataset.train]
    .sort((a, b) => b.encoded.inputIds.length - a.encoded.inputIds.length)
    .slice(0, config.per_device_train_batch_size)
    .map(({ encoded }) => encoded);
  const batch = await processor.pack(longest);
  const loss = await model.forwardBackward(batch, new Float32Array(batch.targetIds.length), 0);
  await loss.read();
}

/** Device, software and precision that a run is made with. */
export function environmentOf(device: DeviceSummary, config: TrainingConfig): RunEnvironment {
  const linear = config.load_in_4bit ? 'nf4, double quantised' : config.load_in_8bit ? 'int8' : 'none';
  return {
    lorikeet_version: LORIKEET_VERSION,
    user_agent: navigator.userAgent,
    adapter: device.adapter,
    features: device.features,
    mixed_precision: config.mixed_precision === 'f16' && device.features.includes('shader-f16') ? 'f16' : 'no',
    quantization: linear === 'none' || config.quantize_vision ? linear : `${linear}; vision unquantised`,
  };
}

