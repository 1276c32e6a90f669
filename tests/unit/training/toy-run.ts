/** A whole run on the toy model, with real storage code on a pretended IndexedDB. */
import { parseTrainingConfig } from '../../../src/protocol/config.ts';
import type { TrainingConfig, TrainingConfigInput } from '../../../src/protocol/config.ts';
import type { TrainRow } from '../../../src/protocol/log.ts';
import type { TrainerEvent } from '../../../src/protocol/messages.ts';
import { packSamples } from '../../../src/processing/pack.ts';
import type { EncodedSample } from '../../../src/processing/types.ts';
import type { RunRecord } from '../../../src/storage/records.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { Checkpoints } from '../../../src/training/checkpoints.ts';
import { CLOCK_KEYS, logConfig } from '../../../src/training/log.ts';
import { TrainingRun } from '../../../src/training/loop.ts';
import { SftMethod } from '../../../src/training/methods/sft.ts';
import { peftFormat } from '../../../src/training/peft-format.ts';
import { Validator } from '../../../src/training/validation.ts';
import type { AnswerTask, Pack } from '../../../src/training/validation.ts';
import { ToyModel, toySamples, VOCABULARY } from './toy-model.ts';

export const pack: Pack = (samples, prompts) =>
  packSamples(samples, { prompts, padId: 0, patches: { patchSize: 16, mergeSize: 2, temporalPatchSize: 2, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as never, bucket: 8 });

export function toyConfig(input: TrainingConfigInput = {}): TrainingConfig {
  return parseTrainingConfig({
    r: 3,
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 2,
    num_train_epochs: 3,
    learning_rate: 0.05,
    lora_dropout: 0.1,
    logging_steps: 3,
    eval_steps: 0,
    eval_generate: false,
    save_steps: 0,
    ...input,
  });
}

export function toyRecord(id: string, config: TrainingConfig): RunRecord {
  return {
    id,
    name: 'Toy',
    createdAt: '2026-01-01T00:00:00.000Z',
    config,
    logConfig: logConfig(config, { modelPath: 'toy', outputDir: 'outputs/toy', trainData: 'toy.json', validationData: '' }),
    modelName: 'toy',
    model: { kind: 'demo' },
    dataset: { kind: 'demo' },
    environment: { lorikeet_version: '0', user_agent: '', adapter: 'toy', features: [], mixed_precision: 'no', quantization: 'none' },
    totalSteps: 0,
    deletedAt: null,
  };
}

/** A seeded shuffle good enough for a test. */
export function order(epoch: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => i).sort((a, b) => Math.sin(a * 97 + epoch * 31) - Math.sin(b * 97 + epoch * 31));
}

export interface ToyOptions {
  id: string;
  config?: TrainingConfig;
  samples?: EncodedSample[];
  validation?: EncodedSample[];
  answers?: AnswerTask;
  resume?: boolean;
  prepare?: (parts: { model: ToyModel; run: TrainingRun; writer: RunWriter; events: TrainerEvent[] }) => void;
  clock?: () => number;
  dataFingerprint?: string;
}

/** Builds a run on a fresh model, as a fresh worker would. */
export async function buildToyRun(options: ToyOptions) {
  const config = options.config ?? toyConfig();
  const samples = options.samples ?? toySamples(11);
  const writer = options.resume ? await RunWriter.open(options.id) : await RunWriter.create(toyRecord(options.id, config));
  const model = new ToyModel(config.lora_dropout);
  const format = peftFormat(
    { base_model_name_or_path: 'toy', r: 3, lora_alpha: 3, lora_dropout: config.lora_dropout, target_modules: ['toy'], use_rslora: false },
    { linearModules: [{ path: 'model.toy', part: 'language_model', inFeatures: 6, outFeatures: VOCABULARY, bias: false } as never], canonicalName: (name) => name },
  );
  const events: TrainerEvent[] = [];
  let ticks = 0;
  const validation = (options.validation ?? []).map((sample, index) => ({ index, sample }));
  const validator =
    validation.length > 0 && config.eval_steps > 0
      ? new Validator(config, validation, pack, options.answers ?? null, await writer.readAnswers())
      : null;
  const method = new SftMethod(config, model, samples, (epoch) => order(epoch, samples.length), pack);
  const run = new TrainingRun({
    config,
    model,
    method,
    dataFingerprint: options.dataFingerprint ?? 'toy',
    validator,
    writer,
    checkpoints: new Checkpoints(writer, model, format, config.save_total_limit),
    emit: (event) => events.push(event),
    clock: options.clock ?? (() => (ticks += 1)),
  });
  options.prepare?.({ model, run, writer, events });
  return { config, run, method, writer, model, events };
}

/** Builds and runs to the end. */
export async function toyRun(options: ToyOptions) {
  const parts = await buildToyRun(options);
  if (options.resume) await parts.run.restore();
  const status = await parts.run.run();
  return { ...parts, status, log: parts.writer.log() };
}

/** A row without what the clock decides. */
export function timeless(rows: readonly TrainRow[]): Partial<TrainRow>[] {
  return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([key]) => !CLOCK_KEYS.includes(key))));
}

/** A worker that is killed: whatever is asked of it never comes back. */
export const never = (): Promise<never> => new Promise(() => undefined);
