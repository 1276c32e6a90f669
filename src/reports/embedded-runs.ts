/**
 * The runs of an HTML report, written into it as data, so that the one file opens again as the runs that it shows.
 * A report has no program: browsers never run a script element of type application/json.
 */
import * as v from 'valibot';
import { LorikeetError } from '../protocol/errors.ts';
import { readJson } from './json-reader.ts';
import { inWords, type Said } from './notes.ts';
import { DIALECT_NAMES, type LogDialect, type LogNote, type RunLog } from './run-log.ts';
import { trainingLogOf } from './run-json.ts';
import { readTrainingLog } from './training-log.ts';

const OPENING = '<script type="application/json" id="lorikeet-runs">';
const CLOSING = '</script>';
const VERSION = 1;
const MAX_RUNS = 200;
const MAX_NOTES = 1000;

const record = v.custom<Record<string, unknown>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));

const noteSchema = v.object({
  level: v.picklist(['info', 'warning']),
  message: v.string(),
  said: v.optional(record),
  line: v.optional(v.number()),
  byte: v.optional(v.number()),
});

const bestSchema = v.object({
  step: v.nullable(v.number()),
  epoch: v.nullable(v.number()),
  metric: v.nullable(v.string()),
  path: v.nullable(v.string()),
  metrics: v.record(v.string(), v.number()),
});

const reportSchema = v.object({
  version: v.literal(VERSION),
  runs: v.pipe(
    v.array(
      v.object({
        name: v.string(),
        source: v.string(),
        dialect: v.picklist(Object.keys(DIALECT_NAMES) as LogDialect[]),
        notes: v.pipe(v.array(noteSchema), v.maxLength(MAX_NOTES)),
        best: v.nullable(bestSchema),
        log: record,
      }),
    ),
    v.minLength(1),
    v.maxLength(MAX_RUNS),
  ),
});

/** The element that holds the runs; no text in it can end it. */
export function embedRuns(runs: readonly RunLog[]): string {
  const entries = runs.slice(0, MAX_RUNS).map((run) => ({ name: run.name, source: run.source, dialect: run.dialect, best: run.best, notes: run.notes.slice(0, MAX_NOTES), log: trainingLogOf(run) }));
  return `${OPENING}${JSON.stringify({ version: VERSION, runs: entries }).replaceAll('<', '\\u003c')}${CLOSING}`;
}

/**
 * The runs of a report, as they were written into it.
 * @param source path or file name, used in messages
 * @throws LorikeetError "file-corrupt" when the page is no report with runs in it, or they are not what they must be
 */
export function runsOfReport(html: string, source: string): RunLog[] {
  const start = html.lastIndexOf(OPENING);
  if (start === -1) throw new LorikeetError('file-corrupt', `${source} is no report that holds its runs.`, 'Reports of this version hold them: export it again, or open the run’s ZIP or log.', { file: source });
  const from = start + OPENING.length;
  const end = html.indexOf(CLOSING, from);
  const { value, break: stop } = readJson(html.slice(from, end === -1 ? undefined : end));
  const result = v.safeParse(reportSchema, value);
  if (end === -1 || stop || !result.success) {
    const field = result.issues ? (v.getDotPath(result.issues[0]) ?? undefined) : undefined;
    throw new LorikeetError('file-corrupt', `The runs in ${source} are damaged${field === undefined ? '' : `: ${field} is not what it must be`}.`, 'Export the report again, or open the run’s ZIP or log.', { file: source, field });
  }
  return result.output.runs.map(({ name, dialect, best, notes, log, source: origin }) => ({ ...readTrainingLog(log, source), name, source: origin, dialect, best, notes: notes.map(trusted) }));
}

/** A report may have been written by anything: a sentence for other languages is believed only where it says the very words of the note. */
function trusted({ said, ...note }: v.InferOutput<typeof noteSchema>): LogNote {
  try {
    return said && inWords(said as unknown as Said, 'en') === note.message ? { ...note, said: said as unknown as Said } : note;
  } catch {
    return note;
  }
}
