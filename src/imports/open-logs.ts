/** Dropped files, folders and ZIP archives to runs. Runs in the reader's worker, so that no log freezes the page. */
import { fileKind, folderOf } from '../data/paths.ts';
import { readZip } from '../data/zip.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';
import { runsOfReport } from '../reports/embedded-runs.ts';
import { bestOf, finalValue, metricNames, sharedName } from '../reports/metrics.ts';
import { curveRun, mergeCurves } from '../reports/merge-curves.ts';
import { note, said } from '../reports/notes.ts';
import { packRun } from '../reports/packed-run.ts';
import { isEventFile, readEventFile } from '../reports/event-file.ts';
import { checkLogSize, readLog } from '../reports/read-log.ts';
import type { RunLog } from '../reports/run-log.ts';
import { findLogs, mayBeLog } from './find-logs.ts';
import type { FoundLog } from './find-logs.ts';
import type { OpenedRun } from './messages.ts';

/** Logs opened at once. */
const MAX_LOGS = 200;
const REPORT = /\.html?$/i;

export interface LogReceiver {
  run(opened: OpenedRun): void;
  fault(error: LorikeetError): void;
}

/** Reads every log among the files and hands over one run after the other; what cannot be read is handed over as a fault. */
export async function openLogs(files: readonly PathFile[], chosen: string, to: LogReceiver): Promise<void> {
  const logs = findLogs(joinEvents(await unpack(files, to)), chosen);
  // A report in a run's folder shows what its log holds.
  const reports = files.filter(({ path }) => REPORT.test(path) && (logs.length === 0 || !path.includes('/')));
  if (logs.length === 0 && reports.length === 0) {
    const advice = 'Drop training_log.json, trainer_state.json, trainer_log.jsonl, logging.jsonl, a CSV export, TensorBoard event files, a report.html, or a run’s folder or ZIP.';
    to.fault(new LorikeetError('file-missing', `${chosen || 'What was chosen'} holds no training log.`, advice));
  }
  if (logs.length > MAX_LOGS) to.fault(new LorikeetError('file-too-large', `${logs.length} logs were chosen; the first ${MAX_LOGS} are opened.`, 'Choose fewer folders at once.'));
  for (const group of byRun(logs.slice(0, MAX_LOGS))) {
    try {
      for (const opened of await (group.length > 1 ? openCurves(group) : openLog(group[0]))) to.run(opened);
    } catch (error) {
      to.fault(LorikeetError.from(error));
    }
  }
  for (const report of reports) {
    try {
      for (const opened of await openReport(report)) to.run(opened);
    } catch (error) {
      to.fault(LorikeetError.from(error));
    }
  }
}

async function unpack(files: readonly PathFile[], to: LogReceiver): Promise<PathFile[]> {
  const all: PathFile[] = [];
  for (const entry of files) {
    if (fileKind(entry.path) !== 'archive') {
      all.push(entry);
      continue;
    }
    try {
      for (const file of (await readZip(entry, undefined, mayBeLog)).files) all.push(file);
    } catch (error) {
      to.fault(LorikeetError.from(error));
    }
  }
  return all;
}

/** A run that was resumed has several event files in its folder: one behind the other they are one again. */
function joinEvents(files: readonly PathFile[]): PathFile[] {
  const folders = new Map<string, PathFile[]>();
  for (const entry of files) if (isEventFile(entry.path) && entry.path.includes('/')) folders.set(folderOf(entry.path), [...(folders.get(folderOf(entry.path)) ?? []), entry]);
  const joined = new Set([...folders.values()].flatMap((entries) => (entries.length > 1 ? entries : [])));
  const whole = [...folders.values()].filter(({ length }) => length > 1).map((entries): PathFile => {
    const ordered = entries.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { path: ordered[0].path, file: new Blob(ordered.map(({ file }) => file)) };
  });
  return [...files.filter((entry) => !joined.has(entry)), ...whole];
}

/** Curves of one run together, every other log by itself; in the order of their first files. */
function byRun(logs: readonly FoundLog<Blob>[]): FoundLog<Blob>[][] {
  const groups = new Map<string, FoundLog<Blob>[]>();
  for (const log of logs) {
    const run = curveRun(log.path);
    const key = run === null ? `file ${log.path}` : `run ${run}`;
    groups.set(key, [...(groups.get(key) ?? []), log]);
  }
  return [...groups.values()];
}

async function openCurves(logs: readonly FoundLog<Blob>[]): Promise<OpenedRun[]> {
  const curves: RunLog[] = [];
  for (const { path, file } of logs) {
    checkLogSize(file.size, path);
    curves.push(...readLog(await file.text(), path));
  }
  const run = mergeCurves(curves, curveRun(logs[0].path)!);
  return [{ run: packRun(run), ...factsOf(run), bytes: logs.reduce((sum, { file }) => sum + file.size, 0), predictions: null }];
}

async function openLog({ path, file, named, predictions, passedOver }: FoundLog<Blob>): Promise<OpenedRun[]> {
  checkLogSize(file.size, path);
  if (predictions) checkLogSize(predictions.size, `${named}/val_predictions.jsonl`);
  const runs = isEventFile(path) ? [readEventFile(new Uint8Array(await file.arrayBuffer()), path)] : readLog(await file.text(), path);
  const answers = predictions ? await predictions.text() : null;
  const notes = passedOver.length > 0 ? [note('info', said('logsPassedOver', { logs: [...passedOver.slice(0, 3), ...(passedOver.length > 3 ? ['…'] : [])].join(', ') }))] : [];
  return runs.map((run) => ({
    run: packRun({ ...run, name: run.name === path ? named : `${named}/${run.name}`, notes: [...run.notes, ...notes] }),
    ...factsOf(run),
    bytes: file.size,
    predictions: answers,
  }));
}

async function openReport({ path, file }: PathFile): Promise<OpenedRun[]> {
  checkLogSize(file.size, path);
  return runsOfReport(await file.text(), path).map((run) => ({ run: packRun(run), ...factsOf(run), bytes: file.size, predictions: null }));
}

function factsOf(run: RunLog): Pick<OpenedRun, 'lastStep' | 'lastLoss' | 'best'> {
  const loss = metricNames(run.train).find((name) => sharedName(name) === 'loss');
  const best = bestOf(run);
  return {
    lastStep: (run.train.at(-1) ?? run.validation.at(-1))?.step ?? null,
    lastLoss: loss === undefined ? null : (finalValue(run.train, loss)?.value ?? null),
    best: best && { metric: best.metric, value: best.value, step: best.step },
  };
}
