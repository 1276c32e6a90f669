/** Takes an exported run back: every file is checked before the first is kept, and the run appears whole or not at all. */
import { parseStrictObject } from '../checkpoint/strict-json.ts';
import { SafetensorsFile } from '../checkpoint/safetensors.ts';
import { readZip, ZIP_LIMITS } from '../data/zip.ts';
import { extractBoxes } from '../objectives/detection.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { TrainingLog } from '../protocol/log.ts';
import type { AnswerPreview, PathFile } from '../protocol/messages.ts';
import type { RecordKey } from './database.ts';
import { commit, read, storageError } from './database.ts';
import { parseExportedLog, parsePredictions } from './exported-log.ts';
import type { Prediction } from './exported-log.ts';
import { sha256 } from './fingerprint.ts';
import type { DirectoryRecord, LogEntry, RunHead, RunRecord } from './records.ts';
import { keyOf, rangeOf } from './records.ts';
import { MANIFEST_FILE, parseManifest } from './run-manifest.ts';
import type { RunManifest } from './run-manifest.ts';
import { hasDataset } from './sources.ts';

const LOG_FILE = 'training_log.json';
const PREDICTIONS_FILE = 'val_predictions.jsonl';
const MAX_TEXT_BYTES = 256 * 2 ** 20;
const LIMITS = { ...ZIP_LIMITS, entries: 10_000 };
const ADVICE = 'Export the run again, or copy the archive anew: it seems damaged.';
/** What belongs to a run; sampled completions stay in the archive, because their images are not part of it. */
const RUN_FILE = /(?:^|\/)(?:lorikeet_run\.json|training_log\.json|val_predictions\.jsonl|(?:best|final|start|checkpoint-(?:samples-)?\d+)\/[^/]+)$/;

/**
 * Stores the run of an exported ZIP. A run of the same id is left alone: the new one gets an id of its own.
 * @returns id and name of the stored run
 * @throws LorikeetError "file-missing", "file-corrupt", "file-too-large", "config" naming the file; "storage-full", "storage-failed"
 */
export async function importRun(archive: PathFile): Promise<{ id: string; name: string }> {
  const files = await openArchive(archive);
  const manifest = parseManifest(await readText(files, MANIFEST_FILE));
  const log = parseExportedLog(await readText(files, LOG_FILE), LOG_FILE);
  const predictions = files.has(PREDICTIONS_FILE) ? parsePredictions(await readText(files, PREDICTIONS_FILE), PREDICTIONS_FILE) : [];
  for (const [name, directory] of Object.entries(manifest.directories)) {
    for (const { path, size, sha256: hash } of directory.files) await checkFile(files, `${name}/${path}`, size, hash);
  }
  const run = await recordOf(manifest, log);
  try {
    const directories: Record<string, DirectoryRecord> = {};
    for (const [i, [name, { step, saved_at, files: listed }]] of Object.entries(manifest.directories).entries()) {
      const token = `import-${i}-${step}`;
      for (const { path } of listed) await commit({ put: [[keyOf.file(run.id, token, path), new Blob([await fileOf(files, `${name}/${path}`).arrayBuffer()])]] });
      directories[name] = { token, step, savedAt: saved_at, files: listed };
    }
    await commit({ put: recordsOf(run, headOf(manifest, log, directories), log, predictions) });
  } catch (error) {
    await commit({ remove: [rangeOf.files(run.id)] }).catch(() => undefined);
    throw storageError(error);
  }
  return { id: run.id, name: run.name };
}

/** The run's files by path inside its folder; a folder round everything is dropped. */
async function openArchive(archive: PathFile): Promise<Map<string, Blob>> {
  const found = await readZip(archive, LIMITS, (path) => RUN_FILE.test(path)).catch((error: unknown) => {
    const known = LorikeetError.from(error);
    throw new LorikeetError('file-corrupt', known.message, ADVICE, known.place, { cause: error });
  });
  const paths = found.files.map(({ path, file }) => ({ path: path.slice(archive.path.length + 1), file }));
  const manifest = paths.filter(({ path }) => path.endsWith(MANIFEST_FILE)).sort((a, b) => a.path.length - b.path.length)[0];
  if (!manifest) {
    throw new LorikeetError(
      'file-missing',
      `${archive.path} holds no ${MANIFEST_FILE}: it is not an exported run.`,
      'Choose a ZIP that the page offered as the whole run.',
      { file: archive.path },
    );
  }
  const folder = manifest.path.slice(0, -MANIFEST_FILE.length);
  const files = new Map<string, Blob>();
  for (const { path, file } of paths) {
    if (!path.startsWith(folder)) continue;
    const inside = path.slice(folder.length);
    if (files.has(inside)) throw new LorikeetError('file-corrupt', `${archive.path} holds ${inside} twice.`, ADVICE, { file: inside });
    files.set(inside, file);
  }
  return files;
}

function fileOf(files: ReadonlyMap<string, Blob>, path: string): Blob {
  const file = files.get(path);
  if (!file) throw new LorikeetError('file-missing', `The archive lacks ${path}.`, ADVICE, { file: path });
  return file;
}

async function readText(files: ReadonlyMap<string, Blob>, path: string): Promise<string> {
  const file = fileOf(files, path);
  if (file.size > MAX_TEXT_BYTES) throw new LorikeetError('file-too-large', `${path} has ${file.size} bytes; at most ${MAX_TEXT_BYTES} are read.`, ADVICE, { file: path });
  return file.text();
}

/** Size, checksum, and what the kind of file promises. */
async function checkFile(files: ReadonlyMap<string, Blob>, path: string, size: number, hash: string): Promise<void> {
  const file = fileOf(files, path);
  if (file.size !== size) throw new LorikeetError('file-corrupt', `${path} has ${file.size} bytes, expected ${size}.`, ADVICE, { file: path });
  if (path.endsWith('.safetensors')) await SafetensorsFile.open(file, path);
  if (path.endsWith('.json')) parseStrictObject(await readText(files, path), path);
  if ((await sha256(new Uint8Array(await file.arrayBuffer()))) !== hash) {
    throw new LorikeetError('file-corrupt', `${path} is not what was exported: its checksum differs.`, ADVICE, { file: path });
  }
}

async function recordOf(manifest: RunManifest, log: TrainingLog): Promise<RunRecord> {
  const { dataset } = manifest;
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
    labels: manifest.labels,
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
function recordsOf(run: RunRecord, head: RunHead, log: TrainingLog, predictions: readonly Prediction[]): [RecordKey, unknown][] {
  const entries: LogEntry[] = [
    ...log.train_history.map((row) => ({ kind: 'train' as const, row })),
    ...log.val_history.map((row) => ({ kind: 'val' as const, row })),
    ...log.notices.map((row) => ({ kind: 'notice' as const, row })),
  ];
  const steps = new Map<number, Prediction[]>();
  for (const prediction of predictions) steps.set(prediction.step, [...(steps.get(prediction.step) ?? []), prediction]);
  const last = steps.get(Math.max(...steps.keys())) ?? [];
  const first = new Map((steps.get(0) ?? []).map((prediction) => [prediction.index, prediction.answer]));
  return [
    [keyOf.run(run.id), run],
    [keyOf.head(run.id), head],
    ...(entries.length > 0 ? [[keyOf.rows(run.id, 0), entries] as [RecordKey, unknown]] : []),
    ...[...steps].map(([step, lines]): [RecordKey, unknown] => [keyOf.predictions(run.id, step), lines.map((line) => `${JSON.stringify(line)}\n`).join('')]),
    ...(last.length > 0 ? [[keyOf.answers(run.id), last.map((line) => previewOf(line, first.get(line.index)))] as [RecordKey, unknown]] : []),
  ];
}

/** An answer without its picture, which stays with the dataset. */
function previewOf({ index, id, prompt, truth, answer }: Prediction, before: string | undefined): AnswerPreview {
  return {
    index,
    id,
    prompt,
    truth,
    answer,
    truthBoxes: extractBoxes(truth),
    answerBoxes: extractBoxes(answer),
    before: before === undefined ? null : { answer: before, boxes: extractBoxes(before) },
    image: null,
  };
}
