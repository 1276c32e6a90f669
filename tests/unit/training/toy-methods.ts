/** Preference and reward training on the toy model, with real storage code. */
import type { TrainingConfig, TrainingConfigInput } from '../../../src/protocol/config.ts';
import type { TrainerEvent } from '../../../src/protocol/messages.ts';
import type { EncodedSample } from '../../../src/processing/types.ts';
import { RunWriter } from '../../../src/storage/run-writer.ts';
import { Checkpoints } from '../../../src/training/checkpoints.ts';
import { DpoValidator } from '../../../src/training/dpo-validation.ts';
import { GrpoValidator } from '../../../src/training/grpo-validation.ts';
import { TrainingRun } from '../../../src/training/loop.ts';
import { DpoMethod } from '../../../src/training/methods/dpo.ts';
import { GrpoMethod } from '../../../src/training/methods/grpo.ts';
import type { EncodedPair } from '../../../src/training/methods/pairs.ts';
import { PairReference, type ReferenceStore } from '../../../src/training/methods/reference.ts';
import type { AnswerReader, RewardFault, RolloutPrompt, Scorer } from '../../../src/training/methods/scorer.ts';
import { peftFormat } from '../../../src/training/peft-format.ts';
import { ToyModel, toySamples, VOCABULARY } from './toy-model.ts';
import { order, pack, toyConfig, toyRecord } from './toy-run.ts';

/** Prefers answers of the even samples to those of the odd ones. */
export function toyPairs(count: number): EncodedPair[] {
  const samples = toySamples(2 * count);
  return Array.from({ length: count }, (_, i) => ({ id: `pair-${i}`, chosen: samples[2 * i], rejected: samples[2 * i + 1] }));
}

/** A store in memory; `writes` counts. */
export function memoryStore(): ReferenceStore & { writes: number } {
  let kept: Float64Array | null = null;
  return {
    writes: 0,
    read: () => Promise.resolve(kept),
    async write(values) {
      kept = values.slice();
      this.writes += 1;
    },
  };
}

/** Asked in tests: how often does the answer say 5, and is it short. */
export const toyScorer: Scorer = {
  terms: ['fives', 'brevity'],
  weights: [2, 1],
  score: (answers) =>
    Promise.resolve({
      rewards: answers.map(({ completion }) => [completion.split(' ').filter((word) => word === '5').length / 4, completion.length < 6 ? 1 : 0]),
      faults: [],
    }),
  close: () => undefined,
};

export const STOP = 0;

export const toyReader: AnswerReader = {
  stopIds: [STOP],
  imageTokenId: 1000,
  decode: (ids) => ids.filter((id) => id !== STOP).join(' '),
  boxes: () => [],
  metrics: () => ({}),
};

export function toyPrompts(count: number): RolloutPrompt[] {
  return toySamples(count).map((encoded: EncodedSample, index) => ({
    index,
    id: `prompt-${index}`,
    encoded: { ...encoded, labels: encoded.labels.map(() => -100), labelTokens: 0 },
    prompt: `question ${index}`,
    truth: '',
    truthBoxes: [],
    image: null,
  }));
}

export function methodConfig(input: TrainingConfigInput): TrainingConfig {
  return toyConfig({ logging_steps: 1, max_steps: 8, lora_dropout: 0, ...input });
}

export interface MethodOptions {
  id: string;
  config: TrainingConfig;
  resume?: boolean;
  validate?: number;
  scorer?: Scorer;
  store?: ReferenceStore;
  prompts?: RolloutPrompt[];
  prepare?: (parts: { model: ToyModel; run: TrainingRun; writer: RunWriter }) => void;
}

/** Builds a run of the config's method on a fresh model, as a fresh worker would. */
export async function buildMethodRun({ id, config, resume = false, validate = 0, scorer = toyScorer, store = memoryStore(), prompts = toyPrompts(9), prepare }: MethodOptions) {
  const writer = resume ? await RunWriter.open(id) : await RunWriter.create(toyRecord(id, config));
  const model = new ToyModel(0);
  const events: TrainerEvent[] = [];
  const faults: RewardFault[] = [];
  let ticks = 0;
  const clock = () => (ticks += 1);
  const format = peftFormat(
    { base_model_name_or_path: 'toy', r: 3, lora_alpha: 3, lora_dropout: 0, target_modules: ['toy'], use_rslora: false },
    { linearModules: [{ path: 'model.toy', part: 'language_model', inFeatures: 6, outFeatures: VOCABULARY, bias: false } as never], canonicalName: (name) => name },
  );
  const pairs = toyPairs(7);
  const dpo = () =>
    new DpoMethod(config, model, pairs, (epoch) => order(epoch, pairs.length), pack, new PairReference(model, pairs, pack, 3, config.precompute_ref_log_probs, store, () => undefined));
  const grpo = () =>
    new GrpoMethod(
      {
        config,
        model,
        promptOf: (sample) => prompts[sample],
        pack,
        scorer,
        reader: toyReader,
        onProgress: () => undefined,
        onFault: (fault) => faults.push(fault),
        clock,
      },
      prompts.length,
      (epoch) => order(epoch, prompts.length),
    );
  const method = config.method === 'dpo' ? dpo() : grpo();
  const validator =
    validate === 0
      ? null
      : config.method === 'dpo'
        ? new DpoValidator(config, pairs.slice(0, validate).map((pair, index) => ({ index, pair })), pack)
        : new GrpoValidator(config, prompts.slice(0, validate), pack, scorer, toyReader);
  const run = new TrainingRun({
    config,
    model,
    method,
    dataFingerprint: 'toy',
    validator,
    writer,
    checkpoints: new Checkpoints(writer, model, format, config.save_total_limit),
    emit: (event) => events.push(event),
    clock,
  });
  prepare?.({ model, run, writer });
  return { config, run, method, writer, model, events, faults };
}

/** Builds and runs to the end. */
export async function methodRun(options: MethodOptions) {
  const parts = await buildMethodRun(options);
  if (options.resume) await parts.run.restore();
  const status = await parts.run.run();
  return { ...parts, status, log: parts.writer.log() };
}
