/**
 * Annotated images -> records in ms-swift's grounding layout, as if somebody had written them: boxes keep their unit
 * until the reader of samples writes them in the model's unit.
 */
import type { AnnotationChoices, AnswerForm } from '../../protocol/reading-choices.ts';
import type { RawRecord } from '../records.ts';
import type { AnnotatedImage, AnnotationSet } from './annotated-image.ts';

/** A longer list of labels would fill the prompt. */
const MAX_LABELS = 60;

type Language = AnnotationChoices['language'];
type Question = 'json' | 'tags' | 'words';

/** With the labels, and where there are too many to list. */
const QUESTIONS: Readonly<Record<Language, Record<Question, readonly [listed: string, unlisted: string]>>> = {
  en: {
    json: ['Locate all objects of these kinds: {labels}. Answer with a JSON list of "bbox_2d" and "label".', 'Locate all objects. Answer with a JSON list of "bbox_2d" and "label".'],
    tags: ['Locate all objects of these kinds: {labels}.', 'Locate all objects.'],
    words: ['Which of these does the image show: {labels}?', 'Describe the image.'],
  },
  zh: {
    json: ['找出图中所有以下类别的物体：{labels}。用JSON列表回答，每项包含"bbox_2d"和"label"。', '找出图中所有物体。用JSON列表回答，每项包含"bbox_2d"和"label"。'],
    tags: ['找出图中所有以下类别的物体：{labels}。', '找出图中所有物体。'],
    words: ['图中是以下哪一种：{labels}？', '描述这张图片。'],
  },
};
const NOTHING: Readonly<Record<Language, string>> = { en: 'None.', zh: '无。' };
const ITEMS: Readonly<Record<AnswerForm, string>> = { json: '{"bbox_2d": <bbox>, "label": "<ref-object>"}', tags: '<ref-object><bbox>' };

/** Labels and words of a set, in order of first appearance. */
export function labelsOf({ images }: AnnotationSet): Set<string> {
  const labels = new Set<string>();
  for (const { objects, text } of images) {
    for (const { label } of objects) labels.add(label);
    if (text !== undefined) labels.add(text);
  }
  return labels;
}

/** The question that is asked by default, {labels} not yet filled in. */
export function usualQuestion(question: Question, language: Language, labels: number): string {
  return QUESTIONS[language][question][labels > 0 && labels <= MAX_LABELS ? 0 : 1];
}

/** @param labels all that the question lists */
export function annotationRecords(set: AnnotationSet, labels: ReadonlySet<string>, choices: AnnotationChoices): RawRecord[] {
  const { form, language, prompt } = choices;
  const boxes = set.images.some(({ objects }) => objects.length > 0) || set.images.every(({ text }) => text === undefined);
  const asked = prompt ?? usualQuestion(boxes ? form : 'words', language, labels.size);
  const question = asked.replaceAll('{labels}', [...labels].join(language === 'zh' ? '、' : ', '));
  return set.images.map((image, i) => {
    const { place, size } = image;
    return {
      value: { images: [image.name], messages: [{ role: 'user', content: `<image>\n${question}` }, { role: 'assistant', content: answerTo(image, choices) }], ...objectsOf(image) },
      sample: typeof place.sample === 'number' ? place.sample : i + 1,
      file: place.file,
      ...(typeof place.line === 'number' && { line: place.line }),
      ...(size && { annotatedSize: size }),
    };
  });
}

function answerTo({ objects, text }: AnnotatedImage, { form, language }: AnnotationChoices): string {
  if (objects.length === 0) return text ?? (form === 'json' ? '[]' : NOTHING[language]);
  const items = objects.map(() => ITEMS[form]);
  return form === 'json' ? `[${items.join(', ')}]` : items.join('\n');
}

function objectsOf({ objects, inPixels }: AnnotatedImage): object {
  if (objects.length === 0) return {};
  return { objects: { ref: objects.map(({ label }) => label), bbox: objects.map(({ box }) => box), bbox_type: inPixels ? 'real' : 'norm1' } };
}
