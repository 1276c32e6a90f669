/** Prompts to be answered, and the reading of what the model answers. */
import type { DatasetSample } from '../data/dataset.ts';
import { categoriesOf, detectionMetrics, extractBoxes } from '../objectives/detection.ts';
import type { DetectionMetrics } from '../objectives/detection.ts';
import { answerOf, messageText, promptOf } from '../processing/conversation.ts';
import type { Processor } from '../processing/processor.ts';
import type { EncodedSample } from '../processing/types.ts';
import type { AnswerReader, RolloutPrompt } from '../training/methods/scorer.ts';
import type { AnswerTask } from '../training/validation.ts';
import type { EncodedDataset, EncodingConfig, SampleEncoder } from './encoded-dataset.ts';

/** Categories that occur in the dataset's answers. */
export function categoriesIn({ train, validation }: EncodedDataset): Set<string> {
  return categoriesOf([...train, ...validation].map(({ source }) => answerOf(source.conversation)));
}

/** Reads answers; detections are scored with the categories that occur anywhere in the dataset. */
export function answerReader(processor: Processor, dataset: EncodedDataset): AnswerReader {
  const categories = categoriesIn(dataset);
  return {
    stopIds: processor.stopIds,
    imageTokenId: processor.imageTokenId,
    decode: (ids) => processor.decode(ids),
    boxes: extractBoxes,
    metrics(pairs) {
      const metrics = detectionMetrics(pairs, { categories });
      return metrics ? logNames(metrics) : {};
    },
  };
}

/**
 * A sample as a prompt to be answered.
 * @param encoded the prompt alone
 */
export function rolloutPrompt({ id, conversation, imageFiles, extra = {} }: DatasetSample, index: number, encoded: EncodedSample): RolloutPrompt {
  const truth = answerOf(conversation);
  const question = promptOf(conversation).findLast((message) => message.role === 'user');
  return {
    index,
    id,
    encoded,
    text: question ? messageText(question).trim() : '',
    truth,
    truthBoxes: extractBoxes(truth),
    image: imageFiles[0]?.file ?? null,
    extra,
  };
}

/** Greedy answers on the validation split, scored with the detection metrics where the ground truth holds detections. */
export function detectionTask(processor: Processor, encoder: SampleEncoder, dataset: EncodedDataset, config: EncodingConfig): AnswerTask {
  const reader = answerReader(processor, dataset);
  const truths = dataset.validation.map(({ source }) => answerOf(source.conversation));
  return {
    stopIds: reader.stopIds,
    metricNames: Object.keys(reader.metrics(truths.map((truth) => ({ truth, answer: truth })))),
    prompt: async ({ index }) => rolloutPrompt(dataset.validation[index].source, index, await encoder.encodePrompt(dataset.validation[index], config)),
    decode: (ids) => reader.decode(ids),
    boxes: (answer) => reader.boxes(answer),
    score: (pairs) => reader.metrics(pairs),
  };
}

function logNames(metrics: DetectionMetrics): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value as number]));
}
