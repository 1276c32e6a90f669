/** A stored run as the files of its folder, so that it can be downloaded, read by other tools, and imported again as it was. */
import type { Method } from '../protocol/config.ts';
import type { AnswerPreview, CompletionGroup, PathFile } from '../protocol/messages.ts';
import { settingsInUse } from '../protocol/presets.ts';
import { eventFile, eventFileName } from '../reports/event-writer.ts';
import { read, walk } from './database.ts';
import { answerLine } from './exported-answers.ts';
import { completionLines } from './exported-completions.ts';
import { keptTypeOf } from './exported-images.ts';
import { sha256 } from './fingerprint.ts';
import type { StoredFile } from './records.ts';
import { keyOf, rangeOf } from './records.ts';
import { manifestOf } from './run-manifest.ts';
import { ANSWERS_FILE, completionsFile, imageFile, LOG_FILE, MANIFEST_FILE, PREDICTIONS_FILE } from './run-paths.ts';
import { readDirectories, readLog } from './runs.ts';

/**
 * The run's folder: log, settings, best, final, checkpoints, validation answers, sampled answers and pictures. Files that
 * are made here are made one after the other and held as Blobs, which a browser may move out of memory.
 * @throws LorikeetError "file-missing" when there is no such run or a file has vanished
 */
export async function readRunFiles(runId: string): Promise<PathFile[]> {
  const { run, head, files } = await readDirectories(runId);
  const written = await readLog(runId);
  const log = { path: LOG_FILE, file: json(written) };
  const events = { path: eventFileName(run.createdAt), file: new Blob([eventFile({ train: written.train_history, validation: written.val_history })]) };
  const others = [...(await predictionFiles(runId)), ...(await answerFiles(runId)), ...(await completionFiles(runId)), ...(await sampleImageFiles(runId))];
  return [
    { path: MANIFEST_FILE, file: json(manifestOf(run, head, await listed([log, ...others]))) },
    log,
    { path: `${configName(run.config.method)}_config.json`, file: json(settingsInUse(run.config)) },
    ...files,
    ...others,
    // For TensorBoard alone: an import makes it anew from the log.
    events,
  ];
}

/** The answers of all validations, in the order of steps. */
async function predictionFiles(runId: string): Promise<PathFile[]> {
  const parts: Blob[] = [];
  for await (const [, lines] of walk<string>(rangeOf.predictions(runId))) parts.push(new Blob([lines]));
  return parts.length > 0 ? [{ path: PREDICTIONS_FILE, file: jsonLines(parts) }] : [];
}

/** The last validation's answers as the page shows them, and their pictures. */
async function answerFiles(runId: string): Promise<PathFile[]> {
  const answers = (await read<AnswerPreview[]>(keyOf.answers(runId))) ?? [];
  if (answers.length === 0) return [];
  const lines: string[] = [];
  const images: PathFile[] = [];
  for (const answer of answers) {
    const type = answer.image && (await keptTypeOf(answer.image));
    const path = type && imageFile('answer', answer.index, type);
    lines.push(answerLine(answer, path));
    if (answer.image && path) images.push({ path, file: answer.image });
  }
  return [{ path: ANSWERS_FILE, file: jsonLines(lines) }, ...images];
}

/** A table of sampled answers for each step that has them. */
async function completionFiles(runId: string): Promise<PathFile[]> {
  const files: PathFile[] = [];
  for await (const [key, groups] of walk<CompletionGroup[]>(rangeOf.completions(runId))) {
    files.push({ path: completionsFile(Number(key[2])), file: jsonLines([completionLines(groups)]) });
  }
  return files;
}

/** Pictures that the sampled answers are about. */
async function sampleImageFiles(runId: string): Promise<PathFile[]> {
  const files: PathFile[] = [];
  for await (const [key, image] of walk<Blob>(rangeOf.sampleImages(runId))) {
    const type = await keptTypeOf(image);
    if (type) files.push({ path: imageFile('sample', Number(key[2]), type), file: image });
  }
  return files;
}

/** Sizes and checksums, with one file in memory at a time. */
async function listed(files: readonly PathFile[]): Promise<StoredFile[]> {
  const list: StoredFile[] = [];
  for (const { path, file } of files) list.push({ path, size: file.size, sha256: await sha256(new Uint8Array(await file.arrayBuffer())) });
  return list;
}

/** The original's name of the settings file. */
function configName(method: Method): string {
  return method === 'grpo-trl' ? 'training' : method;
}

function json(value: unknown): Blob {
  return new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' });
}

function jsonLines(parts: readonly (string | Blob)[]): Blob {
  return new Blob([...parts], { type: 'application/jsonl' });
}
