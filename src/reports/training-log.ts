/** training_log.json: ours, and the four dialects of the original scripts. */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { HistoryReader } from './history-reader.ts';
import { note, said, saidInLog } from './notes.ts';
import { bareObject } from './run-log.ts';
import type { LogDialect, LogNote, LogRow, RecordedBest, RunLog } from './run-log.ts';

type Fields = Record<string, unknown>;

const list = v.optional(v.nullable(v.array(v.unknown())));
const record = v.custom<Fields>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));
const optionalRecord = v.optional(v.nullable(record));

/** What all five share. Other keys are for other tools. */
const trainingLogSchema = v.object({
  config: optionalRecord,
  train_history: list,
  val_history: list,
  best_checkpoint: optionalRecord,
  final_metrics: optionalRecord,
  environment: optionalRecord,
  notices: list,
});

const noticeSchema = v.object({
  step: v.number(),
  level: v.picklist(['info', 'warning', 'error']),
  message: v.string(),
  key: v.optional(v.unknown()),
  values: v.optional(v.fallback(v.record(v.string(), v.union([v.string(), v.number()])), {})),
});

export function isTrainingLog(value: Fields): boolean {
  return Object.hasOwn(value, 'train_history') || Object.hasOwn(value, 'val_history');
}

/**
 * Reads a parsed training_log.json.
 * @throws LorikeetError "file-corrupt" naming the key that is not what it must be
 */
export function readTrainingLog(value: Fields, source: string): RunLog {
  const result = v.safeParse(trainingLogSchema, value);
  if (!result.success) {
    const field = v.getDotPath(result.issues[0]) ?? '';
    throw new LorikeetError('file-corrupt', `${source}: ${field} has the wrong type.`, 'config, best_checkpoint and final_metrics are objects, train_history and val_history are lists.', { file: source, field });
  }
  const log = result.output;
  const reader = new HistoryReader(source);
  const train = reader.rows(log.train_history ?? [], 'train_history');
  const validation = reader.rows(log.val_history ?? [], 'val_history');
  const config = log.config ?? bareObject<unknown>();
  const finalMetrics = scalars(log.final_metrics ?? {});
  const notes: LogNote[] = reader.notes();
  for (const raw of log.notices ?? []) {
    const notice = v.safeParse(noticeSchema, raw);
    if (!notice.success) continue;
    const { step, level, message, key, values } = notice.output;
    notes.push(note(level === 'info' ? 'info' : 'warning', said('notice', { step, text: saidInLog(message, key, values ?? {}) ?? message })));
  }
  const methods = methodsOf(train, validation);
  if (methods.length > 1) notes.push(note('warning', said('severalMethods', { methods: methods.join(', ') })));
  return {
    name: source,
    source,
    dialect: log.environment ? 'lorikeet' : dialectOf(train, validation, config, log.best_checkpoint ?? null),
    config,
    train,
    validation,
    best: readBest(log.best_checkpoint ?? null, finalMetrics),
    finalMetrics,
    environment: log.environment ?? bareObject<unknown>(),
    notes,
  };
}

/** Keys that only one of the original's methods writes. */
function methodsOf(train: readonly LogRow[], validation: readonly LogRow[]): string[] {
  const has = (rows: readonly LogRow[], key: string) => rows.some((row) => key in row);
  const methods: string[] = [];
  if (has(train, 'reward_margin') || has(validation, 'val_reward_margin')) methods.push('DPO');
  if (has(train, 'reward') || has(validation, 'val_reward')) methods.push('GRPO');
  return methods;
}

function dialectOf(train: readonly LogRow[], validation: readonly LogRow[], config: Fields, best: Fields | null): LogDialect {
  const methods = methodsOf(train, validation);
  if (methods[0] === 'DPO' || best?.val_accuracy !== undefined) return 'original-dpo';
  if (methods[0] === 'GRPO' || config.num_generations !== undefined) {
    const trl = train.some((row) => 'learning_rate' in row) || validation.some((row) => Object.keys(row).some((key) => key.startsWith('eval_')));
    return trl ? 'original-grpo-trl' : 'original-grpo';
  }
  return train.length === 0 && config.beta !== undefined ? 'original-dpo' : 'original-sft';
}

/** Numbers, texts and nulls of an object; all else is not shown in a summary. */
export function scalars(fields: Fields): Record<string, number | string | null> {
  const found = bareObject<number | string | null>();
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === 'number') found[key] = Number.isFinite(value) ? value : null;
    else if (typeof value === 'string' || value === null) found[key] = value;
  }
  return found;
}

const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** Ours has metric and value; the original notes the metrics themselves, or only the figure and folder in final_metrics. */
function readBest(best: Fields | null, finalMetrics: Record<string, number | string | null>): RecordedBest | null {
  if (best) {
    const metrics = bareObject<number>();
    const metric = text(best.metric);
    const value = number(best.value);
    if (metric !== null && value !== null) metrics[metric] = value;
    for (const [key, raw] of Object.entries(best)) {
      if (!['step', 'epoch', 'samples', 'metric', 'value', 'path'].includes(key) && number(raw) !== null) metrics[key] = raw as number;
    }
    return { step: number(best.step), epoch: number(best.epoch), metric: metric ?? Object.keys(metrics)[0] ?? null, path: text(best.path), metrics };
  }
  const path = text(finalMetrics.best_checkpoint);
  const value = number(finalMetrics.best_metric);
  if (path === null && value === null) return null;
  const metrics = bareObject<number>();
  if (value !== null) metrics.best_metric = value;
  return { step: stepOfPath(path), epoch: null, metric: null, path, metrics };
}

/** checkpoint-500 and checkpoint-samples-200 both end in their number; only the first one's is a step. */
export function stepOfPath(path: string | null): number | null {
  const found = path === null ? null : /checkpoint-(\d+)\/?$/.exec(path);
  return found ? Number(found[1]) : null;
}
