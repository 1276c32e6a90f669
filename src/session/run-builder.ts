/** Puts a training run together from a model, a dataset and settings. */
import type { ModelFiles } from '../checkpoint/model-files.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import type { RunEnvironment, RunNotice } from '../protocol/log.ts';
import type { TrainerEvent } from '../protocol/messages.ts';
import { say, type Saying } from '../protocol/sayings.ts';
import { LORIKEET_VERSION } from '../protocol/version.ts';
import type { Processor } from '../processing/processor.ts';
import type { RunWriter } from '../storage/run-writer.ts';
import { Checkpoints, type AdapterFormat } from '../training/checkpoints.ts';
import type { Evaluation } from '../training/evaluation.ts';
import { TrainingRun } from '../training/loop.ts';
import type { AdapterTensor } from '../checkpoint/adapter-tensor.ts';
import type { TrainableModel } from '../training/trainable-model.ts';
import { peftFormat } from '../training/peft-format.ts';
import type { RewardFault, Scorer } from '../training/methods/scorer.ts';
import type { SampleEncoder } from './encoded-dataset.ts';
import type { Engine } from './engine.ts';
import { buildMethod } from './method-builder.ts';
import type { ReportProgress } from './progress.ts';
import type { RunData } from './run-data.ts';

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

