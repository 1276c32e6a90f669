/** The page's side of stored runs: list, read, rename, remove, take back. Needs no worker and no GPU. */
import { LorikeetError } from '../protocol/errors.ts';
import type { TrainingLog } from '../protocol/log.ts';
import type { AnswerPreview, PathFile, RunStatus, RunSummary } from '../protocol/messages.ts';
import type { RecordKey } from './database.ts';
import { commit, keysUnder, read, readAll, readEntries } from './database.ts';
import { lockedRuns, lockRun } from './locks.ts';
import type { LogEntry, RunHead, RunRecord } from './records.ts';
import { buildLog, isCheckpoint, keyOf, rangeOf, RESUME_DIRECTORY } from './records.ts';
import type { DatasetReference, ModelReference } from './sources.ts';
import { sweepDatasets } from './sources.ts';

const ACTIVE: readonly RunStatus[] = ['preparing', 'running', 'validating', 'paused'];

/** All runs that are not in the bin, newest first. A run that was under way but that nobody trains now is "interrupted". */
export async function listRuns(): Promise<RunSummary[]> {
  const [runs, heads, locked] = await Promise.all([readAll<RunRecord>(rangeOf.runs()), readHeads(), lockedRuns()]);
  return runs
    .filter((run) => run.deletedAt === null && heads.has(run.id))
    .map((run) => summarise(run, heads.get(run.id) as RunHead, locked.has(run.id)))
    .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id));
}

/**
 * The training log as stored now.
 * @throws LorikeetError "file-missing" when there is no such run
 */
export async function readLog(runId: string): Promise<TrainingLog> {
  const { run, head } = await readRun(runId);
  const entries = await readAll<LogEntry[]>(rangeOf.rows(runId));
  return buildLog(run, head, entries.flat());
}

/** Reads of a run that is being trained may meet a directory just as it is replaced. */
const ATTEMPTS = 4;

/**
 * The run's directory: log, settings, best, final, checkpoints and validation answers.
 * @throws LorikeetError "file-missing" when there is no such run or a file has vanished
 */
export async function readRunFiles(runId: string): Promise<PathFile[]> {
  for (let attempt = 1; ; attempt++) {
    const { run, head } = await readRun(runId);
    const directories = await readDirectories(runId, head);
    const lost = directories.find(({ file }) => !file);
    if (lost && attempt < ATTEMPTS) continue;
    if (lost) throw new LorikeetError('file-missing', `${lost.path} is missing from the browser's storage.`, 'Resume the run to write it again, or use an older download.', { file: lost.path });
    const [log, predictions] = await Promise.all([readLog(runId), readAll<string>(rangeOf.predictions(runId))]);
    return [
      { path: 'training_log.json', file: json(log) },
      { path: `${run.config.method}_config.json`, file: json(run.config) },
      ...(directories as PathFile[]),
      ...(predictions.length > 0 ? [{ path: 'val_predictions.jsonl', file: new Blob(predictions, { type: 'application/jsonl' }) }] : []),
    ];
  }
}

async function readDirectories(runId: string, head: RunHead): Promise<{ path: string; file: Blob | undefined }[]> {
  const files = Object.entries(head.directories).flatMap(([name, directory]) => {
    const shown = name === RESUME_DIRECTORY ? `checkpoint-${directory.step}` : name;
    if (shown !== name && Object.hasOwn(head.directories, shown)) return [];
    return directory.files.map(({ path }) => ({ path: `${shown}/${path}`, key: keyOf.file(runId, directory.token, path) }));
  });
  return Promise.all(files.map(async ({ path, key }) => ({ path, file: await read<Blob>(key) })));
}

/** Answers of the last validation. */
export async function readAnswers(runId: string): Promise<AnswerPreview[]> {
  return (await read<AnswerPreview[]>(keyOf.answers(runId))) ?? [];
}

/** Where the run's model and dataset come from, and its settings. */
export async function readRunSources(runId: string): Promise<{ model: ModelReference; dataset: DatasetReference; config: RunRecord['config'] }> {
  const { run } = await readRun(runId);
  return { model: run.model, dataset: run.dataset, config: run.config };
}

/** Gives a run another name. */
export async function renameRun(runId: string, name: string): Promise<void> {
  const { run } = await readRun(runId);
  await commit({ put: [[keyOf.run(runId), { ...run, name }]] });
}

/**
 * Puts a run in the bin; `restoreRun` takes it out again until the bin is emptied.
 * @throws LorikeetError "run-locked" while it is being trained
 */
export async function deleteRun(runId: string): Promise<void> {
  const release = await lockRun(runId);
  try {
    const { run } = await readRun(runId);
    await commit({ put: [[keyOf.run(runId), { ...run, deletedAt: new Date().toISOString() }]] });
  } finally {
    await release();
  }
}

/** Takes a run out of the bin. */
export async function restoreRun(runId: string): Promise<void> {
  const { run } = await readRun(runId);
  await commit({ put: [[keyOf.run(runId), { ...run, deletedAt: null }]] });
}

/**
 * Removes for good what has been in the bin for longer than `milliseconds`, and dataset copies that no run needs any more.
 * @returns ids of the removed runs
 */
export async function emptyBin(milliseconds: number): Promise<string[]> {
  const [runs, locked] = await Promise.all([readAll<RunRecord>(rangeOf.runs()), lockedRuns()]);
  const limit = new Date(Date.now() - milliseconds).toISOString();
  const gone = runs.filter((run) => run.deletedAt !== null && run.deletedAt <= limit && !locked.has(run.id)).map((run) => run.id);
  for (const id of gone) {
    const ranges = [rangeOf.rows(id), rangeOf.files(id), rangeOf.predictions(id)];
    const keys: RecordKey[] = [keyOf.run(id), keyOf.head(id), keyOf.answers(id)];
    await commit({ remove: [...keys, ...ranges] });
  }
  const left = runs.filter((run) => !gone.includes(run.id));
  if (gone.length > 0) await sweepDatasets(new Set(left.flatMap(({ dataset }) => (dataset.kind === 'files' ? [dataset.fingerprint] : []))));
  return gone;
}

function summarise(run: RunRecord, head: RunHead, locked: boolean): RunSummary {
  const status = ACTIVE.includes(head.status) && !locked ? 'interrupted' : head.status;
  return {
    id: run.id,
    name: run.name,
    method: run.config.method,
    status,
    createdAt: run.createdAt,
    updatedAt: head.updatedAt,
    step: head.step,
    totalSteps: run.totalSteps,
    modelName: run.modelName,
    lastLoss: head.lastLoss,
    bestMetric: head.best,
    resumable: status !== 'finished' && Object.keys(head.directories).some(isCheckpoint),
  };
}

async function readRun(runId: string): Promise<{ run: RunRecord; head: RunHead }> {
  const [run, head] = await Promise.all([read<RunRecord>(keyOf.run(runId)), read<RunHead>(keyOf.head(runId))]);
  if (!run || !head) throw new LorikeetError('file-missing', `There is no stored run ${runId}.`, 'It may have been deleted in another tab.');
  return { run, head };
}

/** Heads by run id. */
async function readHeads(): Promise<Map<string, RunHead>> {
  const entries = await readEntries<RunHead>(keysUnder('head'));
  return new Map(entries.map(([key, head]) => [String(key[1]), head]));
}

function json(value: unknown): Blob {
  return new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' });
}
