/** Stored records read as what they are: something from outside. What is not as it was written is replaced field by field, and said. */
import * as v from 'valibot';
import { METHODS, parseTrainingConfig } from '../protocol/config.ts';
import type { RunNotice } from '../protocol/log.ts';
import type { DamagedPart } from '../protocol/messages.ts';
import { say } from '../protocol/sayings.ts';
import type { RecordKey } from './database.ts';
import type { LogEntry, RunHead, RunRecord } from './records.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const file = v.looseObject({ path: v.string(), size: count });
const plain = v.record(v.string(), v.unknown());

const runFields = {
  name: v.string(),
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  config: v.looseObject({ method: v.picklist(METHODS), r: v.number(), custom_rewards: v.array(v.looseObject({ name: v.string(), source: v.string() })), target_modules: v.union([v.string(), v.array(v.string())]) }),
  logConfig: plain,
  modelName: v.string(),
  model: v.variant('kind', [v.looseObject({ kind: v.literal('demo') }), v.looseObject({ kind: v.literal('files'), name: v.string(), fingerprint: v.string() })]),
  dataset: v.variant('kind', [v.looseObject({ kind: v.literal('demo') }), v.looseObject({ kind: v.literal('files'), fingerprint: v.string(), train: v.array(file), validation: v.array(file), kept: v.boolean() })]),
  environment: plain,
  totalSteps: count,
  deletedAt: v.nullable(v.string()),
} as const;

const headFields = {
  status: v.picklist(['preparing', 'running', 'validating', 'paused', 'stopped', 'finished', 'failed', 'interrupted']),
  step: count,
  updatedAt: v.pipe(v.string(), v.isoTimestamp()),
  lastLoss: v.nullable(v.number()),
  best: v.nullable(v.looseObject({ metric: v.string(), value: v.number(), step: count })),
  finalMetrics: plain,
  directories: v.record(v.string(), v.looseObject({ token: v.string(), step: count, savedAt: v.string(), files: v.array(v.looseObject({ path: v.string(), size: count, sha256: v.string() })) })),
} as const;

const UNKNOWN_TIME = '1970-01-01T00:00:00.000Z';

/** Each field that keeps to its schema, and what stands in for the others. */
function fieldsOf<T extends object>(value: unknown, schemas: Readonly<Record<string, v.GenericSchema>>, standIns: T): { record: T; whole: boolean } {
  const given = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  const bad = Object.keys(schemas).filter((field) => !v.is(schemas[field], given[field]));
  if (bad.length === 0) return { record: value as T, whole: true };
  const replaced = Object.fromEntries(bad.map((field) => [field, standIns[field as keyof T]]));
  return { record: { ...standIns, ...given, ...replaced }, whole: false };
}

/** The fixed part of a run; `whole` says whether it is as it was written. */
export function readRunRecord(id: string, value: unknown): { run: RunRecord; whole: boolean } {
  const standIns: RunRecord = {
    id, name: id, createdAt: UNKNOWN_TIME, config: parseTrainingConfig({}), logConfig: {}, modelName: '', model: { kind: 'files', name: '', fingerprint: '', handle: null },
    dataset: { kind: 'files', fingerprint: '', train: [], validation: [], kept: false }, environment: {} as RunRecord['environment'], totalSteps: 0, deletedAt: null,
  };
  const { record, whole } = fieldsOf(value, runFields, standIns);
  // Under another id nothing of the run would be found.
  if (record.id === id) return { run: record, whole };
  return { run: { ...record, id }, whole: false };
}

/** The moving part of a run. */
export function readRunHead(value: unknown): { head: RunHead; whole: boolean } {
  const standIns: RunHead = { status: 'failed', step: 0, updatedAt: UNKNOWN_TIME, lastLoss: null, best: null, finalMetrics: {}, directories: {} };
  const { record, whole } = fieldsOf(value, headFields, standIns);
  return { head: record, whole };
}

/** Rows that are gone: what stood between these steps; null where there is none on that side. */
export interface LogGap {
  after: number | null;
  before: number | null;
}

const isEntry = (value: unknown): value is LogEntry => {
  const { kind, row } = (value ?? {}) as { kind?: unknown; row?: { step?: unknown } };
  return (kind === 'train' || kind === 'val' || kind === 'notice') && typeof row === 'object' && row !== null && Number.isFinite(row.step);
};

/**
 * The log's entries out of its records, in order, and where some are missing.
 * @param records with their keys, in key order
 * @param extent numbers of the first record and of the one after the last, as the head has them; absent in runs of old
 */
export function readLogRecords(records: readonly (readonly [RecordKey, unknown])[], extent?: RunHead['log']): { entries: LogEntry[]; gaps: LogGap[] } {
  const entries: LogEntry[] = [];
  const gaps: LogGap[] = [];
  let open = false;
  const lose = () => {
    if (!open) gaps.push({ after: lastStep(entries), before: null });
    open = true;
  };
  let expected = extent?.first ?? Number(records[0]?.[0][2] ?? 0);
  for (const [key, value] of records) {
    if (Number(key[2]) > expected) lose();
    expected = Number(key[2]) + 1;
    const good = Array.isArray(value) ? value.filter(isEntry) : [];
    if (!Array.isArray(value) || good.length < value.length) lose();
    for (const entry of good) {
      entries.push(entry);
      if (open && entry.kind !== 'notice') {
        gaps[gaps.length - 1].before = entry.row.step;
        open = false;
      }
    }
  }
  if (extent && expected < extent.next) lose();
  return { entries, gaps };
}

function lastStep(entries: readonly LogEntry[]): number | null {
  return entries.findLast(({ kind }) => kind !== 'notice')?.row.step ?? null;
}

/** What the log says where rows are missing. */
export function gapNotice({ after, before }: LogGap, time: string): RunNotice {
  return { step: after ?? 0, level: 'warning', ...say('logGap', { after: after === null ? '–' : String(after), before: before === null ? '–' : String(before) }), time };
}

/** Which parts of a run are not as they were written. */
export function damagedParts(runWhole: boolean, headWhole: boolean): DamagedPart[] {
  return [...(runWhole ? [] : (['record'] as const)), ...(headWhole ? [] : (['progress'] as const))];
}
