/** Logs with one JSON object per line: LLaMA-Factory's trainer_log.jsonl and ms-swift's logging.jsonl. */
import { HistoryReader, linePlace } from './history-reader.ts';
import { readJson } from './json-reader.ts';
import { note, said } from './notes.ts';
import { countedSteps } from './python-lines.ts';
import { bareObject } from './run-log.ts';
import type { LogDialect, LogNote, RecordedBest, RunLog } from './run-log.ts';
import { trainerBest, TrainerRows } from './trainer-state.ts';
import { scalars } from './training-log.ts';

type Fields = Record<string, unknown>;

interface Line {
  fields: Fields;
  line: number;
}

/** ms-swift's step, "710/59760"; its Megatron trainer calls it iteration. */
const STEP_OF_TOTAL = ['global_step/max_steps', 'iteration'];
/** Progress that other columns say already. */
const PROGRESS = new Set(['current_steps', 'total_steps', 'percentage', 'elapsed_time', 'remaining_time', ...STEP_OF_TOTAL]);

/**
 * Reads JSON lines. Lines that are no JSON objects are left out and named; of a last line that was cut what is whole is kept.
 */
export function readJsonl(text: string, source: string): RunLog {
  const reader = new HistoryReader(source);
  const notes: LogNote[] = [];
  const given = parseLines(text, reader, notes);
  const counted = countedSteps(given.map(({ fields }) => fields));
  if (counted && given.length > 0) notes.push(note('info', said('stepsCounted')));
  const lines = counted ? given.map(({ line }, i) => ({ fields: counted[i], line })) : given;
  const rows = new TrainerRows(reader);
  const config = bareObject<unknown>();
  let best: RecordedBest | null = null;
  const dialects = new Set<LogDialect>();
  for (const { fields, line } of lines) {
    const place = linePlace(line);
    const dialect = dialectOf(fields);
    if (dialect) dialects.add(dialect);
    if (isSummary(fields)) {
      best = trainerBest({
        best_metric: typeof fields.best_metric === 'number' ? fields.best_metric : null,
        best_model_checkpoint: typeof fields.best_model_checkpoint === 'string' ? fields.best_model_checkpoint : null,
      });
      continue;
    }
    const { row, step, total } = normalise(fields);
    if (total !== null) config.max_steps = total;
    if (Object.keys(row).every((key) => key === 'step' || key === 'epoch' || key === 'elapsed_s')) {
      reader.count(said('progressOnly'), place, 'info');
      continue;
    }
    rows.add(row, place, step);
  }
  rows.finish();
  if (dialects.size > 1) notes.push(note('warning', said('severalTrainers')));
  return {
    name: source,
    source,
    dialect: [...dialects][0] ?? 'hf-trainer-state',
    config,
    train: rows.train,
    validation: rows.validation,
    best,
    finalMetrics: scalars(rows.finalMetrics),
    environment: bareObject<unknown>(),
    notes: [...notes, ...reader.notes()],
  };
}

function parseLines(text: string, reader: HistoryReader, notes: LogNote[]): Line[] {
  const lines: Line[] = [];
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start);
    const raw = text.slice(start, end === -1 ? text.length : end);
    line += 1;
    const from = start;
    start = end === -1 ? text.length : end + 1;
    if (raw.trim() === '') continue;
    const { value, break: stop } = readJson(raw);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    const last = end === -1 || text.slice(start).trim() === '';
    if (isObject && (stop === null || last)) lines.push({ fields: value as Fields, line });
    if (stop !== null && last) {
      const byte = new TextEncoder().encode(text.slice(0, from)).length + stop.byte;
      notes.push(note('warning', said('lineBreaksOff', { line, reason: stop.reason }), { line, byte }));
    } else if (stop !== null || !isObject) {
      reader.count(said('lineNoObject'), linePlace(line));
    }
  }
  return lines;
}

function dialectOf(fields: Fields): LogDialect | null {
  if (Object.hasOwn(fields, 'current_steps')) return 'llama-factory';
  return STEP_OF_TOTAL.some((key) => typeof fields[key] === 'string') ? 'ms-swift' : null;
}

/** Whether one line alone can be placed on the step axis. */
export function isLogLine(fields: Fields): boolean {
  return dialectOf(fields) !== null || Object.hasOwn(fields, 'step') || Object.hasOwn(fields, 'global_step');
}

/** ms-swift closes its file with one object about the whole run. */
function isSummary(fields: Fields): boolean {
  return !Object.hasOwn(fields, 'loss') && (Object.hasOwn(fields, 'best_model_checkpoint') || Object.hasOwn(fields, 'last_model_checkpoint'));
}

/** The row without what only tells progress, with elapsed_s in seconds. */
function normalise(fields: Fields): { row: Fields; step: unknown; total: number | null } {
  const row = bareObject<unknown>();
  for (const [key, value] of Object.entries(fields)) if (!PROGRESS.has(key)) row[key] = value;
  const elapsed = typeof fields.elapsed_time === 'string' ? seconds(fields.elapsed_time) : null;
  if (elapsed !== null) row.elapsed_s = elapsed;
  for (const key of STEP_OF_TOTAL) {
    const found = typeof fields[key] === 'string' ? /^(\d+)\/(\d+)$/.exec(fields[key]) : null;
    if (found) return { row, step: Number(found[1]), total: Number(found[2]) };
  }
  if (!Object.hasOwn(fields, 'current_steps')) return { row, step: fields.step ?? fields.global_step, total: null };
  return { row, step: fields.current_steps, total: typeof fields.total_steps === 'number' ? fields.total_steps : null };
}

/** "1 day, 2:03:04" and "0:00:10" (Python), "1h 6m 30s" and "3d 20h 10m 53s" (ms-swift). */
export function seconds(text: string): number | null {
  const clock = /^(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)$/.exec(text.trim());
  if (clock) return Number(clock[1] ?? 0) * 86400 + Number(clock[2]) * 3600 + Number(clock[3]) * 60 + Number(clock[4]);
  const units: Readonly<Record<string, number>> = { d: 86400, h: 3600, m: 60, s: 1 };
  const parts = text.trim().split(/\s+/);
  let sum = 0;
  for (const part of parts) {
    const found = /^(\d+(?:\.\d+)?)([dhms])$/.exec(part);
    if (!found) return null;
    sum += Number(found[1]) * units[found[2]];
  }
  return sum;
}
