/** The method of a run and its validation, put together from model, data and settings. */
import { epochOrder, selectIndices } from '../data/sampler.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { invariant } from '../protocol/errors.ts';
import type { AnswerPreview } from '../protocol/messages.ts';
import type { Processor } from '../processing/processor.ts';
import type { RunWriter } from '../storage/run-writer.ts';
import { DpoValidator } from '../training/dpo-validation.ts';
import type { Evaluation } from '../training/evaluation.ts';
import { GrpoValidator } from '../training/grpo-validation.ts';
import { DpoMethod } from '../training/methods/dpo.ts';
import { GrpoMethod } from '../training/methods/grpo.ts';
import type { TrainingMethod } from '../training/methods/method.ts';
import type { EncodedPair } from '../training/methods/pairs.ts';
import { PairReference } from '../training/methods/reference.ts';
import { samplesAnswers } from '../training/methods/rollout-plan.ts';
import type { RewardFault, RolloutPrompt, Scorer } from '../training/methods/scorer.ts';
import { SftMethod } from '../training/methods/sft.ts';
import type { Supply } from '../training/supply.ts';
import type { TrainableModel } from '../training/trainable-model.ts';
import { Validator, type Pack } from '../training/validation.ts';
import { answerReader, categoriesIn, detectionTask, rolloutPrompt } from './answers.ts';
import type { SampleEncoder, SessionSample } from './encoded-dataset.ts';
import type { ReportProgress } from './progress.ts';
import type { RunData, SampleSet } from './run-data.ts';
import { referenceStore } from './reference-store.ts';
import { buildScorer } from './rewards.ts';

/** What every method is made of. */
export interface MethodParts {
  config: TrainingConfig;
  processor: Processor;
  encoder: SampleEncoder;
  dataset: RunData;
  scorer: Scorer | null;
}

function pairOf({ source, encoded, rejected }: SessionSample): EncodedPair {
  invariant(rejected, `sample ${source.id} of a preference set has no rejected answer`);
  return { id: source.id, chosen: encoded, rejected };
}

/** Prompts by sample index. */
function prompts(samples: SampleSet, processor: Processor, config: TrainingConfig): (index: number) => Promise<RolloutPrompt> {
  return async (index) => {
    const { source, encoded } = await samples.at(index);
    return rolloutPrompt(source, index, encoded, processor, config);
  };
}

/** Training samples in the form that a method takes. */
function supply<T>(samples: SampleSet, form: (sample: SessionSample) => T): Supply<T> {
  return { length: samples.length, at: async (index) => form(await samples.at(index)) };
}

/** The validation samples of a run that can be used. */
async function chosenFor(config: TrainingConfig, { validation }: RunData): Promise<{ index: number; sample: SessionSample }[]> {
  const chosen: { index: number; sample: SessionSample }[] = [];
  for (const index of selectIndices(validation.length, config.eval_num_samples, config.eval_sample_selection, config.seed)) {
    const sample = await validation.own(index);
    if (sample) chosen.push({ index, sample });
  }
  return chosen;
}

/** The rewards of a run; null for methods without any. Ends with `close`. */
export function buildRewards({ config, dataset }: Pick<MethodParts, 'config' | 'dataset'>): Scorer | null {
  if (!samplesAnswers(config)) return null;
  return buildScorer(config, categoriesIn(dataset));
}

function rewardsOf({ scorer }: MethodParts): Scorer {
  invariant(scorer, 'a method that samples has rewards');
  return scorer;
}

/**
 * Validation of a run, or null when it has none.
 * @param earlier answers of the validation before a resume
 * @throws LorikeetError "config" when metric_for_best_model is not measured
 */
export async function buildValidator(parts: MethodParts, earlier: readonly AnswerPreview[]): Promise<Evaluation | null> {
  const { config, dataset, processor, encoder } = parts;
  if (config.eval_steps === 0 || dataset.validation.length === 0) return null;
  const usable = await chosenFor(config, dataset);
  if (usable.length === 0) return null;
  const pack: Pack = (samples, prompts) => processor.pack(samples, prompts);
  switch (config.method) {
    case 'sft': {
      const chosen = usable.map(({ index, sample }) => ({ index, sample: sample.encoded }));
      const task = config.eval_generate ? detectionTask(processor, encoder, dataset, config) : null;
      return new Validator(config, chosen, pack, task, earlier);
    }
    case 'dpo':
      return new DpoValidator(config, usable.map(({ index, sample }) => ({ index, pair: pairOf(sample) })), pack);
    default: {
      const chosen = await Promise.all(usable.map(({ index, sample }) => rolloutPrompt(sample.source, index, sample.encoded, processor, config)));
      return new GrpoValidator(config, chosen, pack, rewardsOf(parts), answerReader(processor, dataset, config), earlier);
    }
  }
}

export interface MethodWork {
  model: TrainableModel;
  writer: RunWriter;
  progress: ReportProgress;
  onFault: (fault: RewardFault) => void;
}

/** The training method that the settings name. */
export function buildMethod(parts: MethodParts, { model, writer, progress, onFault }: MethodWork): TrainingMethod {
  const { config, dataset, processor } = parts;
  const { train } = dataset;
  const pack: Pack = (samples, prompts) => processor.pack(samples, prompts);
  const order = (epoch: number) => epochOrder(train.length, config.seed, epoch);
  switch (config.method) {
    case 'sft':
      return new SftMethod(config, model, supply(train, ({ encoded }) => encoded), order, pack);
    case 'dpo': {
      const pairs = supply(train, pairOf);
      const reference = new PairReference(
        model,
        pairs,
        pack,
        config.per_device_train_batch_size,
        config.precompute_ref_log_probs,
        referenceStore(writer),
        progress('prepare', 'reference'),
      );
      return new DpoMethod(config, model, pairs, order, pack, reference);
    }
    default: {
      const report = { sampling: progress('rollout', 'sampling'), scoring: progress('rollout', 'scoring') };
      return new GrpoMethod(
        {
          config,
          model,
          promptOf: prompts(train, processor, config),
          pack,
          scorer: rewardsOf(parts),
          reader: answerReader(processor, dataset, config),
          onProgress: (stage, done, total) => report[stage](done, total),
          onFault,
          clock: () => performance.now(),
        },
        train.length,
        order,
      );
    }
  }
}
