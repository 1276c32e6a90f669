/** Takes an exported run back: every file is checked before the first is kept, and the run appears whole or not at all. */
import type { TrainingLog } from '../protocol/log.ts';
import type { AnswerPreview, PathFile } from '../protocol/messages.ts';
import type { RecordKey } from './database.ts';
import { commit, read, storageError } from './database.ts';
import { parseAnswers, parsePredictions, predictionLines, previewOf, previewsOf } from './exported-answers.ts';
import { parseCompletions } from './exported-completions.ts';
import { imageOf } from './exported-images.ts';
import { parseExportedLog } from './exported-log.ts';
import { corrupt } from './exported-rows.ts';
import { lockRun } from './locks.ts';
import type { DirectoryRecord, LogEntry, RunHead, RunRecord } from './records.ts';
import { everythingOf, keyOf, RESUME_DIRECTORY } from './records.ts';
import { RunArchive } from './run-archive.ts';
import { parseManifest } from './run-manifest.ts';
import type { RunManifest } from './run-manifest.ts';
import { ANSWERS_FILE, LOG_FILE, MANIFEST_FILE, partOf, PREDICTIONS_FILE } from './run-paths.ts';
import type { RunPart } from './run-paths.ts';
import { hasDataset } from './sources.ts';

type Entry = [RecordKey, unknown];
type Part = RunPart & { path: string };

/**
 * Stores the run of an exported ZIP. A run of the same id is left alone: the new one gets an id of its own.
 * @returns id and name of the stored run
 * @throws LorikeetError "file-missing", "file-corrupt", "file-too-large", "config" naming the file; "storage-full", "storage-failed"
 */
export async function importRun(archive: PathFile): Promise<{ id: string; name: string }> {
  const files = await RunArchive.open(archive);
  const manifest = parseManifest(await files.text(MANIFEST_FILE));
  for (const [name, directory] of Object.entries(manifest.directories)) {
    for (const file of directory.files) await files.check({ ...file, path: `${name}/${file.path}` });
  }
  for (const file of manifest.files ?? []) await files.check(file);
  const log = parseExportedLog(await files.text(LOG_FILE), LOG_FILE);
  const parts = partsOf(manifest, files);
  const predictions = parts.some(({ kind }) => kind === 'predictions') ? parsePredictions(await files.text(PREDICTIONS_FILE), PREDICTIONS_FILE) : new Map<number, never[]>();
  const answers = manifest.files ? await readAnswers(parts, files) : previewsOf(predictions);
  // Read again when they are stored: all steps together may be more than the memory holds.
  for (const part of parts) if (part.kind === 'completions') await readCompletions(part, files);

  const run = await recordOf(manifest, log);
  const release = await lockRun(run.id);
  try {
    // What an import that was cut off may have left behind.
    await commit({ remove: everythingOf(run.id) });
    for (const part of parts) {
      if (part.kind === 'completions') await commit({ put: [[keyOf.completions(run.id, part.step), await readCompletions(part, files)]] });
      if (part.kind === 'sample') await commit({ put: [[keyOf.sampleImage(run.id, part.index), imageOf(await files.bytes(part.path), part.type)]] });
    }
    for (const [step, lines] of predictions) await commit({ put: [[keyOf.predictions(run.id, step), predictionLines(lines)]] });
    const directories = await storeDirectories(run.id, manifest, files);
    await commit({ put: recordsOf(run, headOf(manifest, log, directories), log, answers) });
  } catch (error) {
    await commit({ remove: everythingOf(run.id) }).catch(() => undefined);
    throw storageError(error);
  } finally {
    await release();
  }
  return { id: run.id, name: run.name };
}

/** What there is beside the directories; an older format does not say so itself. */
function partsOf({ files }: RunManifest, archive: RunArchive): Part[] {
  const paths = files?.map(({ path }) => path) ?? [LOG_FILE, PREDICTIONS_FILE].filter((path) => archive.has(path));
  return paths.flatMap((path) => {
    const part = partOf(path);
    return part ? [{ ...part, path }] : [];
  });
}

async function readCompletions({ path, step }: Part & { kind: 'completions' }, files: RunArchive) {
  return parseCompletions(await files.text(path), path, step);
}

/** The last validation's answers with their pictures. */
async function readAnswers(parts: readonly Part[], files: RunArchive): Promise<AnswerPreview[]> {
  if (!parts.some(({ kind }) => kind === 'answers')) return [];
  const images = new Map(parts.flatMap((part) => (part.kind === 'answer' ? [[part.path, part] as const] : [])));
  const answers: AnswerPreview[] = [];
  for (const { line, row } of parseAnswers(await files.text(ANSWERS_FILE), ANSWERS_FILE)) {
    const image = row.image === null ? null : images.get(row.image);
    if (image === undefined || (image !== null && image.index !== row.index)) throw corrupt('is no picture of this answer', ANSWERS_FILE, 'image', line);
    answers.push(previewOf(row, image && imageOf(await files.bytes(image.path), image.type)));
  }
  return answers;
}

async function storeDirectories(id: string, manifest: RunManifest, files: RunArchive): Promise<Record<string, DirectoryRecord>> {
  const directories: Record<string, DirectoryRecord> = {};
  for (const [i, [name, { step, saved_at, rolling, passed_over: passedOver, files: listed }]] of Object.entries(manifest.directories).entries()) {
    const token = `import-${i}-${step}`;
    for (const { path } of listed) await commit({ put: [[keyOf.file(id, token, path), new Blob([await files.bytes(`${name}/${path}`)])]] });
    directories[rolling ? RESUME_DIRECTORY : name] = { token, step, savedAt: saved_at, files: listed, ...(passedOver && { passedOver }) };
  }
  return directories;
}

async function recordOf(manifest: RunManifest, log: TrainingLog): Promise<RunRecord> {
  const { dataset, labels } = manifest;
  const taken = (await read(keyOf.run(manifest.id))) !== undefined;
  return {
    id: taken ? `${manifest.id}-${crypto.randomUUID().slice(0, 8)}` : manifest.id,
    name: manifest.name,
    createdAt: manifest.created_at,
    config: manifest.config,
    logConfig: log.config,
    modelName: manifest.model_name,
    model: manifest.model,
    dataset: dataset.kind === 'files' ? { ...dataset, kept: await hasDataset(dataset.fingerprint) } : dataset,
    environment: log.environment,
    totalSteps: manifest.total_steps,
    deletedAt: null,
    ...((labels.tags.length > 0 || labels.notes !== '') && { labels }),
  };
}

function headOf(manifest: RunManifest, log: TrainingLog, directories: Record<string, DirectoryRecord>): RunHead {
  const ended = ['stopped', 'finished', 'failed'].includes(manifest.status);
  return {
    status: ended ? manifest.status : 'interrupted',
    step: manifest.step,
    updatedAt: manifest.updated_at,
    lastLoss: manifest.last_loss,
    best: log.best_checkpoint,
    finalMetrics: log.final_metrics,
    directories,
  };
}

/** Everything that makes the run appear, for one transaction. */
function recordsOf(run: RunRecord, head: RunHead, log: TrainingLog, answers: readonly AnswerPreview[]): Entry[] {
  const entries: LogEntry[] = [
    ...log.train_history.map((row) => ({ kind: 'train' as const, row })),
    ...log.val_history.map((row) => ({ kind: 'val' as const, row })),
    ...log.notices.map((row) => ({ kind: 'notice' as const, row })),
  ];
  return [
    [keyOf.run(run.id), run],
    [keyOf.head(run.id), { ...head, log: { first: 0, next: entries.length > 0 ? 1 : 0 } }],
    ...(entries.length > 0 ? [[keyOf.rows(run.id, 0), entries] as Entry] : []),
    ...(answers.length > 0 ? [[keyOf.answers(run.id), answers] as Entry] : []),
  ];
}
