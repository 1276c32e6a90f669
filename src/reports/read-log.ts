/** Any training log to runs. What a file is, its content decides. */
import { LorikeetError } from '../protocol/errors.ts';
import { looksLikeCsv, readCsvLogs } from './csv-logs.ts';
import { readJson } from './json-reader.ts';
import { isLogLine, readJsonl } from './jsonl-logs.ts';
import { note, said } from './notes.ts';
import { DIALECT_NAMES, MAX_LOG_BYTES } from './run-log.ts';
import type { RunLog } from './run-log.ts';
import { isPythonLines, pythonLinesAsJson } from './python-lines.ts';
import { isTrainerState, readTrainerState } from './trainer-state.ts';
import { isTrainingLog, readTrainingLog } from './training-log.ts';

const KNOWN = [...new Set(Object.values(DIALECT_NAMES))].join(', ');

/**
 * Ask before reading a file into memory.
 * @throws LorikeetError "file-too-large" naming the limit
 */
export function checkLogSize(bytes: number, source: string): void {
  if (bytes <= MAX_LOG_BYTES) return;
  throw new LorikeetError('file-too-large', `${source} has ${Math.ceil(bytes / 2 ** 20)} MiB; training logs of at most ${MAX_LOG_BYTES / 2 ** 20} MiB are read.`, 'Log less often, or keep every tenth row.', { file: source });
}

/**
 * Reads a log's text. Damage that leaves something readable ends up in the runs' notes.
 * @param source path or file name, used in messages and as the runs' name
 * @returns at least one run; CSV exports may hold several
 * @throws LorikeetError "file-corrupt" when it is no log or nothing of it can be read, "file-too-large" beyond a limit
 */
export function readLog(text: string, source: string): RunLog[] {
  checkLogSize(text.length, source);
  const content = text.startsWith('\ufeff') ? text.slice(1) : text;
  const start = content.trimStart();
  if (start === '') throw new LorikeetError('file-corrupt', `${source} is empty.`, 'The run may have ended before its first log row.', { file: source });
  const runs = isPythonLines(start) ? [readJsonl(pythonLinesAsJson(content), source)] : start[0] === '{' || start[0] === '[' ? [readJsonLog(content, source)] : looksLikeCsv(start) ? readCsvLogs(content, source) : [];
  if (runs.length === 0) throw unknown(source, 'it is neither JSON nor a table');
  if (runs.every((run) => run.train.length === 0 && run.validation.length === 0)) {
    const why = runs[0].notes[0]?.message;
    throw new LorikeetError('file-corrupt', `${source} holds no row of training or validation.${why ? ` ${why}` : ''}`, 'The run may have ended before its first log row.', { file: source, line: runs[0].notes[0]?.line });
  }
  return runs;
}

function readJsonLog(text: string, source: string): RunLog {
  if (isJsonl(text)) return readJsonl(text, source);
  const { value, break: stop } = readJson(text);
  const notes = stop ? [note('warning', said('jsonBreaksOff', { ...stop }), { line: stop.line, byte: stop.byte })] : [];
  const run = Array.isArray(value) ? readTrainerState(value, source) : readObject(value as Record<string, unknown>, source, stop !== null);
  return { ...run, notes: [...notes, ...run.notes] };
}

function readObject(value: Record<string, unknown>, source: string, broken: boolean): RunLog {
  if (isTrainingLog(value)) {
    if (Object.hasOwn(value, 'log_history')) throw unknown(source, 'it holds both train_history and log_history, the marks of two formats');
    return readTrainingLog(value, source);
  }
  if (isTrainerState(value)) return readTrainerState(value, source);
  throw unknown(source, broken ? 'it breaks off before its first history' : 'it has neither train_history nor log_history');
}

/** One object per line: the first line is a whole object, and more follows or it is a row that a trainer logs. */
function isJsonl(text: string): boolean {
  const trimmed = text.trimStart();
  const end = trimmed.indexOf('\n');
  const first = (end === -1 ? trimmed : trimmed.slice(0, end)).trimEnd();
  if (first[0] !== '{' || first.at(-1) !== '}' || first.length > 5_000_000) return false;
  const { value, break: stop } = readJson(first);
  if (stop !== null || typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  if (isTrainingLog(fields) || isTrainerState(fields)) return false;
  return trimmed.length > first.length + 2 || isLogLine(fields);
}

function unknown(source: string, why: string): LorikeetError {
  return new LorikeetError('file-corrupt', `${source} is not a training log that can be read: ${why}.`, `These can be read: ${KNOWN}.`, { file: source });
}
