/** Which of many dropped files are training logs, and what each run is called. */
import { baseName, folderOf, normalizePath } from '../data/paths.ts';
import { isEventFile } from '../reports/event-file.ts';

/** Usual names of logs, the most telling first: of several in one folder the first is read. */
export const LOG_NAMES = ['training_log.json', 'trainer_state.json', 'logging.jsonl', 'trainer_log.jsonl'];
const PREDICTIONS = 'val_predictions.jsonl';
const CHECKPOINT = /(?:^|\/)checkpoint-(\d+)$/;

/** A log, and what lies beside it. */
export interface FoundLog<File> {
  path: string;
  file: File;
  /** Folder or file that names the run, with its parents. */
  named: string;
  /** val_predictions.jsonl of the same run. */
  predictions: File | null;
  /** Other logs of the same run, which are not read. */
  passedOver: string[];
}

/** Files that may be logs, by their name. */
export function mayBeLog(path: string): boolean {
  return /\.(?:jsonl?|ndjson|csv)$/i.test(path) || isEventFile(path);
}

/**
 * Chooses the logs among files: those with usual names and all tables, one per run folder (a checkpoint's belongs to the
 * folder above); where there are none, every file that may be one. Files that were chosen one by one are runs of their own.
 * @param chosen name of what was chosen: the folder that the paths are relative to, or the first file
 */
export function findLogs<File>(files: readonly { path: string; file: File }[], chosen: string): FoundLog<File>[] {
  const candidates = files.map(({ path, file }) => ({ path: normalizePath(path), file })).filter(({ path }) => mayBeLog(path));
  const predictions = candidates.filter(({ path }) => baseName(path) === PREDICTIONS);
  const others = candidates.filter(({ path }) => baseName(path) !== PREDICTIONS);
  const named = others.filter(({ path }) => LOG_NAMES.includes(baseName(path)));
  // Event files tell less than a log beside them, and nothing more.
  const events = others.filter(({ path }) => isEventFile(path) && path.includes('/') && !named.some((log) => runFolder(log.path) === runFolder(path)));
  const usual = [...named, ...events];
  const oneByOne = candidates.some(({ path }) => path === chosen);
  const folders = new Map<string, typeof usual>();
  const alone: typeof usual = [];
  for (const entry of usual) {
    const folder = runFolder(entry.path);
    if (oneByOne && folder === '') alone.push(entry);
    else folders.set(folder, [...(folders.get(folder) ?? []), entry]);
  }
  const groups = [...alone.map((entry): [string, typeof usual] => ['', [entry]]), ...folders];
  const found = groups.map(([folder, entries]): FoundLog<File> => {
    const [best, ...rest] = entries.sort(byWorth);
    return {
      ...best,
      named: nameOf(best.path, folder, oneByOne ? '' : chosen),
      predictions: alone.length < 2 || folder !== '' ? (predictions.find(({ path }) => folderOf(path) === folder)?.file ?? null) : null,
      passedOver: rest.map(({ path }) => path),
    };
  });
  const tables = others.filter(({ path }) => /\.csv$/i.test(path));
  const chosenAlone = others.filter(({ path }) => !usual.some((entry) => entry.path === path) && !path.includes('/'));
  const lonely = others.filter(({ path }) => isEventFile(path) && !usual.some((entry) => entry.path === path) && named.length === 0);
  const loose = oneByOne ? [...new Set([...chosenAlone, ...tables])] : found.length + tables.length > 0 ? [...tables, ...lonely] : others;
  return [...found, ...loose.map(({ path, file }) => ({ path, file, named: path.replace(/\.(?:jsonl?|ndjson|csv)$/i, ''), predictions: null, passedOver: [] }))];
}

function runFolder(path: string): string {
  const folder = folderOf(path);
  return CHECKPOINT.test(folder) ? folderOf(folder) : folder;
}

/** By name, then a run's own log before those of its checkpoints, then the latest checkpoint. */
function byWorth(a: { path: string }, b: { path: string }): number {
  const name = ({ path }: { path: string }) => LOG_NAMES.indexOf(baseName(path));
  const checkpoint = ({ path }: { path: string }) => Number(CHECKPOINT.exec(folderOf(path))?.[1] ?? Infinity);
  return name(a) - name(b) || checkpoint(b) - checkpoint(a);
}

function nameOf(path: string, folder: string, chosen: string): string {
  if (folder !== '') return folder.replace(/\.zip$/i, '');
  return chosen === '' ? path : chosen.replace(/\.zip$/i, '');
}
