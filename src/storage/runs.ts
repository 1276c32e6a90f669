/** The page's side of stored runs: list, read, rename, remove, take back. Needs no worker and no GPU. */
import { LorikeetError } from '../protocol/errors.ts';
import type { TrainingLog } from '../protocol/log.ts';
import { isUnderWay } from '../protocol/messages.ts';
import type { AnswerPreview, CompletionGroup, PathFile, RunSummary } from '../protocol/messages.ts';
import { commit, keysUnder, read, readAll, readEntries, readKeys } from './database.ts';
import { lockedRuns, lockRun } from './locks.ts';
import { cleanLabels } from './labels.ts';
import type { RunHead, RunLabels, RunRecord } from './records.ts';
import { buildLog, everythingOf, isCheckpoint, isResumable, keyOf, rangeOf, RESUME_DIRECTORY } from './records.ts';
import { shownDirectories } from './run-manifest.ts';
import type { DatasetReference, ModelReference } from './sources.ts';
import { sweepDatasets } from './sources.ts';
import { damagedParts, gapNotice, readLogRecords, readRunHead, readRunRecord } from './stored-records.ts';

/** All runs that are not in the bin, newest first. A run that was under way but that nobody trains now is "interrupted". */
export async function listRuns(): Promise<RunSummary[]> {
  const [runs, heads, locked] = await Promise.all([readRuns(), readEntries(keysUnder('head')), lockedRuns()]);
  const headOf = new Map(heads.map(([key, head]) => [String(key[1]), head]));
  // A run whose record is gone still has its log and its adapters.
  const lost = [...headOf.keys()].filter((id) => !runs.has(id)).map((id) => ({ ...readRunRecord(id, undefined), id }));
  return [...[...runs].map(([id, read]) => ({ ...read, id })), ...lost]
    .filter(({ id, run, whole }) => run.deletedAt === null && (headOf.has(id) || !whole))
    .map(({ id, run, whole }) => {
      const { head, whole: headWhole } = readRunHead(headOf.get(id));
      const damaged = damagedParts(whole, headWhole);
      return { ...summarise(run, head, locked.has(id)), ...(damaged.length > 0 && { damaged, resumable: false }) };
    })
    .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id));
}

/**
 * The training log as stored now; a notice says where rows are missing.
 * @throws LorikeetError "file-missing" when there is no such run
 */
export async function readLog(runId: string): Promise<TrainingLog> {
  const { run, head } = await readRun(runId);
  const { entries, gaps } = readLogRecords(await readEntries(rangeOf.rows(runId)), head.log);
  const log = buildLog(run, head, entries);
  return { ...log, notices: [...log.notices, ...gaps.map((gap) => gapNotice(gap, head.updatedAt))] };
}

/** Reads of a run that is being trained may meet a directory just as it is replaced. */
const ATTEMPTS = 4;

/**
 * A run with the files of its directories, under the names that files show.
 * @param wanted which directories
 * @throws LorikeetError "file-missing" when there is no such run or a file has vanished
 */
export async function readDirectories(runId: string, wanted: (name: string) => boolean = () => true): Promise<{ run: RunRecord; head: RunHead; files: PathFile[] }> {
  for (let attempt = 1; ; attempt++) {
    const { run, head } = await readRun(runId);
    const keys = shownDirectories(head)
      .filter(({ name }) => wanted(name))
      .flatMap(({ name, token, files }) => files.map(({ path }) => ({ path: `${name}/${path}`, key: keyOf.file(runId, token, path) })));
    const found = await Promise.all(keys.map(async ({ path, key }) => ({ path, file: await read<Blob>(key) })));
    const lost = found.find(({ file }) => !file);
    if (!lost) return { run, head, files: found as PathFile[] };
    if (attempt === ATTEMPTS) {
      throw new LorikeetError('file-missing', `${lost.path} is missing from the browser's storage.`, 'Resume the run to write it again, or use an older download.', { file: lost.path });
    }
  }
}

/**
 * One directory of a run, such as "best".
 * @throws LorikeetError "file-missing" when there is none
 */
export async function readRunDirectory(runId: string, directory: string): Promise<{ name: string; files: PathFile[] }> {
  const { run, files } = await readDirectories(runId, (name) => name === directory);
  if (files.length === 0) {
    throw new LorikeetError('file-missing', `The run ${run.name} has no ${directory}.`, 'Choose another adapter of this run.', { file: directory });
  }
  return { name: run.name, files: files.map(({ path, file }) => ({ path: path.slice(directory.length + 1), file })) };
}

/** Directories of a run that hold an adapter: best, final, then the checkpoints, newest first. */
export async function listAdapters(runId: string): Promise<{ directory: string; step: number }[]> {
  const { head } = await readRun(runId);
  const steps = new Map<string, number>();
  for (const [name, { step, files }] of Object.entries(head.directories)) {
    if (!files.some(({ path }) => path === 'adapter_model.safetensors')) continue;
    if (name === 'best' || name === 'final' || isCheckpoint(name)) steps.set(name === RESUME_DIRECTORY ? `checkpoint-${step}` : name, step);
  }
  const adapters = [...steps].map(([directory, step]) => ({ directory, step }));
  const first = ['best', 'final'].flatMap((name) => adapters.filter(({ directory }) => directory === name));
  const others = adapters.filter((adapter) => !first.includes(adapter));
  return [...first, ...others.sort((a, b) => b.step - a.step)];
}

/** Answers of the last validation. */
export async function readAnswers(runId: string): Promise<AnswerPreview[]> {
  return (await read<AnswerPreview[]>(keyOf.answers(runId))) ?? [];
}

/** Steps at which sampled answers were stored, ascending. */
export async function listCompletionSteps(runId: string): Promise<number[]> {
  return (await readKeys(rangeOf.completions(runId))).map((key) => Number(key[2]));
}

/** Sampled answers of one logged step. */
export async function readCompletions(runId: string, step: number): Promise<CompletionGroup[]> {
  return (await read<CompletionGroup[]>(keyOf.completions(runId, step))) ?? [];
}

/** Image of a training sample that completions refer to, if it was kept. */
export async function readSampleImage(runId: string, sample: number): Promise<Blob | null> {
  return (await read<Blob>(keyOf.sampleImage(runId, sample))) ?? null;
}

/** Lines of val_predictions.jsonl, one text per validation, in the order of steps. */
export async function readPredictions(runId: string): Promise<string[]> {
  return readAll<string>(rangeOf.predictions(runId));
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
 * Writes tags and notes to a run; what is left out stays as it is.
 * @throws LorikeetError "file-missing" when there is no such run
 */
export async function labelRun(runId: string, labels: Partial<RunLabels>): Promise<void> {
  const { run } = await readRun(runId);
  await commit({ put: [[keyOf.run(runId), { ...run, labels: cleanLabels({ tags: [], notes: '', ...run.labels, ...labels }) }]] });
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
  const [read, locked] = await Promise.all([readRuns(), lockedRuns()]);
  const runs = [...read.values()].map(({ run }) => run);
  const limit = new Date(Date.now() - milliseconds).toISOString();
  const gone = runs.filter((run) => run.deletedAt !== null && run.deletedAt <= limit && !locked.has(run.id)).map((run) => run.id);
  for (const id of gone) await commit({ remove: everythingOf(id) });
  const left = runs.filter((run) => !gone.includes(run.id));
  if (gone.length > 0) await sweepDatasets(new Set(left.flatMap(({ dataset }) => (dataset.kind === 'files' ? [dataset.fingerprint] : []))));
  return gone;
}

function summarise(run: RunRecord, head: RunHead, locked: boolean): RunSummary {
  const status = isUnderWay(head.status) && !locked ? 'interrupted' : head.status;
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
    resumable: status !== 'finished' && Object.entries(head.directories).some(([name, directory]) => isResumable(name, directory)),
    config: run.config,
    finalMetrics: head.finalMetrics,
    tags: run.labels?.tags ?? [],
    notes: run.labels?.notes ?? '',
  };
}

/** What there is of a run, damaged or not. */
async function readRun(runId: string): Promise<{ run: RunRecord; head: RunHead }> {
  const [run, head] = await Promise.all([read(keyOf.run(runId)), read(keyOf.head(runId))]);
  if (run === undefined && head === undefined) throw new LorikeetError('file-missing', `There is no stored run ${runId}.`, 'It may have been deleted in another tab.');
  return { run: readRunRecord(runId, run).run, head: readRunHead(head).head };
}

/** All run records by id. */
async function readRuns(): Promise<Map<string, ReturnType<typeof readRunRecord>>> {
  const entries = await readEntries(rangeOf.runs());
  return new Map(entries.map(([key, value]) => [String(key[1]), readRunRecord(String(key[1]), value)]));
}
