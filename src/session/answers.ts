/** Prompts to be answered, and the reading of what the model answers. */
import type { DatasetSample } from '../data/dataset.ts';
import { categoriesOf, detectionMetrics, extractBoxes } from '../objectives/detection.ts';
import type { DetectionMetrics } from '../objectives/detection.ts';
import { textMetrics, type TextMetrics } from '../objectives/text-metrics.ts';
import { answerOf, messageText, promptOf } from '../processing/conversation.ts';
import type { Processor } from '../processing/processor.ts';
import type { EncodedSample, VisionMedia } from '../processing/types.ts';
import { boxUnitOf, type BoxUnit, type TrainingConfig } from '../protocol/config.ts';
import type { LabelledBox, SplitName } from '../protocol/messages.ts';
import type { ScoredPrompt } from '../protocol/reward-messages.ts';
import type { AnswerReader, RolloutPrompt } from '../training/methods/scorer.ts';
import type { AnswerTask } from '../training/validation.ts';
import type { EncodingConfig, SampleEncoder } from './encoded-dataset.ts';
import { plainPoster } from './plain-media.ts';

/** What the samples of a dataset are made from. */
type Sources = Readonly<Record<SplitName, { readonly sources: readonly DatasetSample[] }>>;

type BoxConfig = Pick<TrainingConfig, 'box_convention'>;

/** Categories that occur in the dataset's answers. */
export function categoriesIn({ train, validation }: Sources): Set<string> {
  return categoriesOf([...train.sources, ...validation.sources].map(({ conversation }) => answerOf(conversation)));
}

/** Boxes of a text for drawing; none where they are in pixels of an image of unknown size. */
export function drawnBoxes(text: string, unit: BoxUnit, { imageSize }: Pick<ScoredPrompt, 'imageSize'>): LabelledBox[] {
  if (unit === 'thousandths') return extractBoxes(text);
  return imageSize ? extractBoxes(text, imageSize) : [];
}

/** Reads answers; detections are scored with the categories that occur anywhere in the dataset, plain text by its words. */
export function answerReader(processor: Processor, dataset: Sources, config: BoxConfig): AnswerReader {
  const categories = categoriesIn(dataset);
  return {
    stopIds: processor.stopIds,
    imageTokenId: processor.imageTokenId,
    decode: (ids) => processor.decode(ids),
    boxes: (answer, prompt) => drawnBoxes(answer, boxUnitOf(config), prompt),
    metrics(pairs) {
      const metrics = detectionMetrics(pairs, { categories }) ?? textMetrics(pairs);
      return metrics ? logNames(metrics) : {};
    },
  };
}

/**
 * What rewards are told of a sample.
 * @param media its pictures and clips, in patches of `patchSize` pixels; none before a model has encoded it
 */
export function scoredPrompt({ conversation, extra }: Pick<DatasetSample, 'conversation' | 'extra'>, media: readonly VisionMedia[], patchSize: number): ScoredPrompt {
  const question = promptOf(conversation).findLast((message) => message.role === 'user');
  const grid = media.find(({ kind }) => kind === 'image')?.grid;
  return {
    prompt: question ? messageText(question).trim() : '',
    truth: answerOf(conversation),
    ...(extra && { extra }),
    ...(grid && { imageSize: { width: grid[2] * patchSize, height: grid[1] * patchSize } }),
  };
}

/**
 * A sample as a prompt to be answered.
 * @param encoded the prompt alone
 * @throws LorikeetError "image" when its picture cannot be unpacked
 */
export async function rolloutPrompt(sample: DatasetSample, index: number, encoded: EncodedSample, { preprocessor }: Processor, config: BoxConfig): Promise<RolloutPrompt> {
  const scored = scoredPrompt(sample, encoded.media, preprocessor.patchSize);
  return { ...scored, index, id: sample.id, encoded, truthBoxes: drawnBoxes(scored.truth, boxUnitOf(config), scored), image: await plainPoster(sample.media) };
}

/** Greedy answers on the validation split, scored as detections where the ground truth holds any, else as plain text. */
export function detectionTask(processor: Processor, encoder: SampleEncoder, dataset: Sources, config: EncodingConfig & BoxConfig): AnswerTask {
  const reader = answerReader(processor, dataset, config);
  const { sources } = dataset.validation;
  const truths = sources.map(({ conversation }) => answerOf(conversation));
  return {
    stopIds: reader.stopIds,
    metricNames: Object.keys(reader.metrics(truths.map((truth) => ({ truth, answer: truth })))),
    prompt: async ({ index }) => rolloutPrompt(sources[index], index, await encoder.encodePrompt({ source: sources[index] }, config), processor, config),
    decode: (ids) => reader.decode(ids),
    boxes: (answer, prompt) => reader.boxes(answer, prompt),
    score: (pairs) => reader.metrics(pairs),
  };
}

function logNames(metrics: DetectionMetrics | TextMetrics): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value as number]));
}
