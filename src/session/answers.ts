/** Prompts for validation and the reading of what the model answers. */
import { categoriesOf, detectionMetrics, extractBoxes } from '../objectives/detection.ts';
import type { DetectionMetrics } from '../objectives/detection.ts';
import { answerOf, messageText, promptOf } from '../processing/conversation.ts';
import type { Processor } from '../processing/processor.ts';
import type { AnswerTask } from '../training/validation.ts';
import type { EncodedDataset, EncodingConfig, SampleEncoder } from './encoded-dataset.ts';

/** Answers on the validation split, scored with the detection metrics where the ground truth holds detections. */
export function detectionTask(processor: Processor, encoder: SampleEncoder, dataset: EncodedDataset, config: EncodingConfig): AnswerTask {
  const truths = dataset.validation.map(({ source }) => answerOf(source.conversation));
  const categories = categoriesOf([...dataset.train.map(({ source }) => answerOf(source.conversation)), ...truths]);
  const perfect = detectionMetrics(truths.map((truth) => ({ truth, answer: truth })), { categories });
  return {
    stopIds: processor.stopIds,
    metricNames: perfect ? Object.keys(logNames(perfect)) : [],
    async prompt({ index }) {
      const sample = dataset.validation[index];
      const { conversation, imageFiles } = sample.source;
      const truth = answerOf(conversation);
      const question = promptOf(conversation).findLast((message) => message.role === 'user');
      return {
        encoded: await encoder.encodePrompt(sample, config),
        text: question ? messageText(question).trim() : '',
        truth,
        truthBoxes: extractBoxes(truth),
        image: imageFiles[0]?.file ?? null,
      };
    },
    decode: (ids) => processor.decode(ids),
    boxes: extractBoxes,
    score(pairs) {
      const metrics = detectionMetrics(pairs, { categories });
      return metrics ? logNames(metrics) : {};
    },
  };
}

function logNames(metrics: DetectionMetrics): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value as number]));
}
