/** Validation answers of a run, from stored previews and from val_predictions.jsonl. Pure. */
import { extractBoxes, imageSizeOf } from '../../objectives/detection.ts';
import type { AnswerPreview, LabelledBox } from '../../protocol/messages.ts';
import { readJson } from '../../reports/json-reader.ts';

export interface Answer {
  /** Tells samples apart; the same in runs on the same data. */
  id: string;
  prompt: string;
  truth: string;
  answer: string;
  truthBoxes: LabelledBox[];
  answerBoxes: LabelledBox[];
  image: Blob | null;
}

/** By step, then by sample. */
export type AnswersByStep = ReadonlyMap<number, ReadonlyMap<string, Answer>>;

/** More lines than this are not shown. */
const MAX_LINES = 200_000;

/**
 * Reads lines of val_predictions.jsonl; lines of another kind are passed over.
 * @param previews of the last validation: their images serve all steps
 * @param lastStep step of the previews
 */
export function answersOf(text: string, previews: readonly AnswerPreview[], lastStep: number | null): AnswersByStep {
  const images = new Map(previews.map(({ id, image }) => [id, image]));
  const steps = new Map<number, Map<string, Answer>>();
  const put = (step: number, answer: Answer) => {
    const known = steps.get(step);
    if (known) known.set(answer.id, answer);
    else steps.set(step, new Map([[answer.id, answer]]));
  };
  if (lastStep !== null) for (const { id, prompt, truth, answer, truthBoxes, answerBoxes, image } of previews) put(lastStep, { id, prompt, truth, answer, truthBoxes, answerBoxes, image });
  for (const line of text.split('\n', MAX_LINES)) {
    const fields = fieldsOf(line);
    if (!fields) continue;
    const id = String(fields.id ?? fields.index ?? '');
    const step = fields.step as number;
    if (steps.get(step)?.has(id)) continue;
    const truth = String(fields.truth ?? fields.label ?? fields.reference ?? '');
    const answer = String(fields.answer ?? fields.prediction ?? fields.predict ?? fields.completion ?? '');
    const size = imageSizeOf(fields.image_size);
    put(step, { id, prompt: String(fields.prompt ?? ''), truth, answer, truthBoxes: extractBoxes(truth, size), answerBoxes: extractBoxes(answer, size), image: images.get(id) ?? null });
  }
  return new Map([...steps].sort(([a], [b]) => a - b));
}

function fieldsOf(line: string): Record<string, unknown> | null {
  if (line.trim() === '') return null;
  const { value } = readJson(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const fields = value as Record<string, unknown>;
  return typeof fields.step === 'number' ? fields : null;
}

/** Steps that both have; where there are none, the last of each. */
export function commonSteps(a: AnswersByStep, b: AnswersByStep): { common: number[]; last: [number, number] } {
  return { common: [...a.keys()].filter((step) => b.has(step)), last: [[...a.keys()].at(-1) ?? 0, [...b.keys()].at(-1) ?? 0] };
}
