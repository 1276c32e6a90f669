/** Validation answers of an exported run: all of them in val_predictions.jsonl, the last ones as the page shows them in val_answers.jsonl. */
import * as v from 'valibot';
import { extractBoxes, imageSizeOf } from '../objectives/detection.ts';
import type { AnswerPreview } from '../protocol/messages.ts';
import { boxes, corrupt, count, number, parseLines, rewards } from './exported-rows.ts';
import type { Line } from './exported-rows.ts';

const words = { index: count, id: v.string(), prompt: v.string(), truth: v.string(), answer: v.string() };

/** Columns in the order in which the trainer writes them; rewards are GRPO's. */
const predictionSchema = v.object({ step: count, ...words, reward: v.optional(v.nullable(number)), rewards: v.optional(rewards), /** There where boxes are in pixels of the image as the model sees it. */ image_size: v.optional(v.strictTuple([count, count])) });

const answerSchema = v.object({
  ...words,
  truth_boxes: boxes,
  answer_boxes: boxes,
  before: v.nullable(v.object({ answer: v.string(), boxes })),
  /** Path of the picture. */
  image: v.nullable(v.string()),
});

/** One generated answer of a validation. */
export type Prediction = v.InferOutput<typeof predictionSchema>;
/** One answer of the last validation, its picture in a file of its own. */
export type ExportedAnswer = v.InferOutput<typeof answerSchema>;

/**
 * Reads val_predictions.jsonl.
 * @returns the answers of each validation by its step
 * @throws LorikeetError "file-corrupt" naming line and field
 */
export function parsePredictions(content: string, file: string): Map<number, Prediction[]> {
  const steps = new Map<number, Prediction[]>();
  for (const { row } of parseLines(predictionSchema, content, file)) {
    const known = steps.get(row.step);
    if (known) known.push(row);
    else steps.set(row.step, [row]);
  }
  return steps;
}

/** The lines of one validation, as they were written. */
export function predictionLines(predictions: readonly Prediction[]): string {
  return predictions.map((prediction) => `${JSON.stringify(prediction)}\n`).join('');
}

/** A line of val_answers.jsonl. */
export function answerLine({ index, id, prompt, truth, answer, truthBoxes, answerBoxes, before }: AnswerPreview, image: string | null): string {
  const row: ExportedAnswer = { index, id, prompt, truth, answer, truth_boxes: truthBoxes, answer_boxes: answerBoxes, before, image };
  return `${JSON.stringify(row)}\n`;
}

/**
 * Reads val_answers.jsonl.
 * @throws LorikeetError "file-corrupt" naming line and field, also where two lines have the same index
 */
export function parseAnswers(content: string, file: string): Line<ExportedAnswer>[] {
  const lines = parseLines(answerSchema, content, file);
  const seen = new Set<number>();
  for (const { line, row } of lines) {
    if (seen.has(row.index)) throw corrupt(`there is an answer ${row.index} already`, file, 'index', line);
    seen.add(row.index);
  }
  return lines;
}

/** An answer for the page. */
export function previewOf({ index, id, prompt, truth, answer, truth_boxes, answer_boxes, before }: ExportedAnswer, image: Blob | null): AnswerPreview {
  return { index, id, prompt, truth, answer, truthBoxes: truth_boxes, answerBoxes: answer_boxes, before, image };
}

/** The last answers of an older export, which has no val_answers.jsonl: without pictures, boxes read from the words. */
export function previewsOf(steps: ReadonlyMap<number, readonly Prediction[]>): AnswerPreview[] {
  const last = steps.get(Math.max(...steps.keys())) ?? [];
  const first = new Map((steps.get(0) ?? []).map((prediction) => [prediction.index, prediction.answer]));
  return last.map(({ index, id, prompt, truth, answer, image_size }) => {
    const size = imageSizeOf(image_size);
    const before = first.get(index);
    return {
      index,
      id,
      prompt,
      truth,
      answer,
      truthBoxes: extractBoxes(truth, size),
      answerBoxes: extractBoxes(answer, size),
      before: before === undefined ? null : { answer: before, boxes: extractBoxes(before, size) },
      image: null,
    };
  });
}
