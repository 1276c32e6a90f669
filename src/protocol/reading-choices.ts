/** What the user decides about files that do not speak for themselves. Travels with the dataset, so that a resumed run reads the same samples. */
import * as v from 'valibot';

/** "json": Qwen's own list of {"bbox_2d", "label"}; "tags": Qwen2-VL's <|object_ref_start|> and <|box_start|>. */
export const ANSWER_FORMS = ['json', 'tags'] as const;
export type AnswerForm = (typeof ANSWER_FORMS)[number];

const annotationSchema = v.strictObject({
  form: v.picklist(ANSWER_FORMS),
  /** Of the usual question and of the words for nothing found. */
  language: v.picklist(['en', 'zh']),
  /** The question put to every image, {labels} standing for the labels; null = the usual one. */
  prompt: v.nullable(v.string()),
});
export type AnnotationChoices = v.InferOutput<typeof annotationSchema>;

const column = v.nullable(v.string());
export const mappingSchema = v.strictObject({
  /** Null where the samples have no text of a question: the usual one is asked. */
  prompt: column,
  answer: v.string(),
  image: column,
  /** Column with boxes, [x1, y1, x2, y2] each in pixels; the answer then names what is in them. */
  boxes: column,
});
export type ColumnMapping = v.InferOutput<typeof mappingSchema>;

export const readingChoicesSchema = v.strictObject({
  annotations: v.optional(annotationSchema),
  /** Columns of files in layouts of their own, by the file's path. */
  mappings: v.optional(v.record(v.string(), mappingSchema)),
  /** Files whose boxes count pixels of the stored pictures, by path; they are rewritten in the model's unit. */
  pixelFiles: v.optional(v.array(v.string())),
  /** Files made from annotations, by path: their boxes are thousandths with decimals, to be written in the model's unit. */
  thousandthFiles: v.optional(v.array(v.string())),
  /** Files that were asked about and whose boxes are in the model's unit already. */
  trustedFiles: v.optional(v.array(v.string())),
});
export type ReadingChoices = v.InferOutput<typeof readingChoicesSchema>;

export const DEFAULT_ANNOTATION_CHOICES: AnnotationChoices = { form: 'json', language: 'en', prompt: null };
