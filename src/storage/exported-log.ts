/** training_log.json of an exported run, checked row by row before it becomes a stored run's. */
import * as v from 'valibot';
import { parseStrictObject } from '../checkpoint/strict-json.ts';
import type { TrainingLog } from '../protocol/log.ts';
import { checked, columnName, MAX_ROWS, shortText } from './exported-rows.ts';

const scalar = v.nullable(v.union([v.number(), shortText]));
/** JSON has no NaN: a metric of a row that was not a number was written as null. */
const cell = v.pipe(scalar, v.transform((value) => value ?? Number.NaN));
const row = v.pipe(v.record(columnName, cell), v.check((fields) => Number.isSafeInteger(fields.step), 'has no whole number as its step'));
const rows = v.pipe(v.array(row), v.maxLength(MAX_ROWS));

/** Besides these five, the other figures of that validation. */
const best = v.pipe(
  v.record(columnName, v.union([v.number(), shortText])),
  v.check(({ step, epoch, value }) => Number.isSafeInteger(step) && typeof epoch === 'number' && typeof value === 'number', 'lacks a whole step, an epoch or a value'),
  v.check(({ metric, path }) => typeof metric === 'string' && typeof path === 'string', 'lacks a metric or a path'),
);

const logSchema = v.object({
  config: v.record(columnName, v.unknown()),
  train_history: rows,
  val_history: rows,
  best_checkpoint: v.nullable(best),
  final_metrics: v.record(columnName, scalar),
  environment: v.object({
    lorikeet_version: shortText,
    user_agent: shortText,
    adapter: shortText,
    features: v.array(shortText),
    mixed_precision: v.picklist(['no', 'f16']),
    quantization: shortText,
    kernel_choices: v.optional(v.record(shortText, shortText)),
  }),
  notices: v.array(
    v.object({
      step: v.number(),
      level: v.picklist(['info', 'warning', 'error']),
      message: v.string(),
      key: v.optional(v.string()),
      values: v.optional(v.record(v.string(), v.union([v.string(), v.number()]))),
      time: shortText,
    }),
  ),
});

/**
 * Reads a log that Lorikeet exported.
 * @throws LorikeetError "file-corrupt" naming the place
 */
export function parseExportedLog(content: string, file: string): TrainingLog {
  return checked(logSchema, parseStrictObject(content, file), file) as TrainingLog;
}
