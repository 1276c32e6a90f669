/** training_log.json and val_predictions.jsonl of an exported run, checked row by row before they become a stored run's. */
import * as v from 'valibot';
import { parseStrictJson, parseStrictObject } from '../checkpoint/strict-json.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { TrainingLog } from '../protocol/log.ts';

const MAX_ROWS = 1_000_000;
const ADVICE = 'Export the run again: this file is not one that Lorikeet wrote.';

const text = v.pipe(v.string(), v.maxLength(2000));
const scalar = v.nullable(v.union([v.number(), text]));
const step = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** JSON has no NaN: a metric that was not a number comes back as null. */
const row = v.pipe(v.record(v.pipe(v.string(), v.maxLength(200)), scalar), v.check((fields) => Number.isSafeInteger(fields.step), 'has no whole number as its step'));
const rows = v.pipe(v.array(row), v.maxLength(MAX_ROWS));

const logSchema = v.object({
  config: v.record(v.pipe(v.string(), v.maxLength(200)), v.unknown()),
  train_history: rows,
  val_history: rows,
  best_checkpoint: v.nullable(v.object({ step, epoch: v.number(), metric: text, value: v.number(), path: text })),
  final_metrics: v.record(v.pipe(v.string(), v.maxLength(200)), scalar),
  environment: v.object({
    lorikeet_version: text,
    user_agent: text,
    adapter: text,
    features: v.array(text),
    mixed_precision: v.picklist(['no', 'f16']),
    quantization: text,
  }),
  notices: v.array(
    v.object({
      step: v.number(),
      level: v.picklist(['info', 'warning', 'error']),
      message: v.string(),
      key: v.optional(v.string()),
      values: v.optional(v.record(v.string(), v.union([v.string(), v.number()]))),
      time: text,
    }),
  ),
});

const predictionSchema = v.object({ step, index: step, id: text, prompt: v.string(), truth: v.string(), answer: v.string() });

/** One generated answer of a validation. */
export type Prediction = v.InferOutput<typeof predictionSchema>;

/**
 * Reads a log that Lorikeet exported.
 * @throws LorikeetError "file-corrupt" naming the place
 */
export function parseExportedLog(content: string, file: string): TrainingLog {
  return check(logSchema, parseStrictObject(content, file), file) as TrainingLog;
}

/**
 * Reads val_predictions.jsonl.
 * @throws LorikeetError "file-corrupt" naming the line
 */
export function parsePredictions(content: string, file: string): Prediction[] {
  const lines = content.split('\n').filter((line) => line !== '');
  if (lines.length > MAX_ROWS) throw new LorikeetError('file-too-large', `${file} has ${lines.length} lines; at most ${MAX_ROWS} are read.`, ADVICE, { file });
  return lines.map((line, i) => check(predictionSchema, parseStrictJson(line, `${file}, line ${i + 1}`), file, i + 1));
}

function check<Schema extends v.GenericSchema>(schema: Schema, value: unknown, file: string, line?: number): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const field = v.getDotPath(issue) ?? '';
  throw new LorikeetError('file-corrupt', `${file}${field && `, ${field}`}: ${issue.message}`, ADVICE, { file, field, line });
}
