/** lorikeet_run.json: what a run's other files do not say, so that an exported run can be taken back as it was. */
import * as v from 'valibot';
import { parseStrictJson } from '../checkpoint/strict-json.ts';
import { parseTrainingConfig } from '../protocol/config.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { RunStatus } from '../protocol/messages.ts';
import { cleanLabels } from './labels.ts';
import type { DirectoryRecord, RunHead, RunLabels, RunRecord, StoredFile } from './records.ts';
import { RESUME_DIRECTORY } from './records.ts';
import { DIRECTORY_NAME, LOG_FILE, MANIFEST_FILE, partOf, PLAIN_NAME } from './run-paths.ts';
import type { DatasetReference, ModelReference } from './sources.ts';

const ADVICE = 'Export the run again; an archive that was edited or put together by hand cannot be taken back.';
const STATUSES = ['preparing', 'running', 'validating', 'paused', 'stopped', 'finished', 'failed', 'interrupted'] as const satisfies readonly RunStatus[];

const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal digits'));
const time = v.pipe(text(40), v.check((value) => Number.isFinite(Date.parse(value)), 'must be a time (ISO 8601)'));
const keptFile = v.object({ path: text(1000), size: count });
const partFile = v.object({ path: v.pipe(v.string(), v.check((path) => partOf(path) !== null, 'is no file of a run')), size: count, sha256: hash });
const directoryFile = v.object({ path: v.pipe(v.string(), v.regex(PLAIN_NAME, 'must be a plain file name')), size: count, sha256: hash });

const fields = {
  id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be a run id')),
  name: text(200),
  created_at: time,
  updated_at: time,
  status: v.picklist(STATUSES),
  step: count,
  total_steps: count,
  last_loss: v.nullable(v.number()),
  model_name: text(400),
  model: v.variant('kind', [v.object({ kind: v.literal('demo') }), v.object({ kind: v.literal('files'), name: text(400), fingerprint: hash })]),
  dataset: v.variant('kind', [
    v.object({ kind: v.literal('demo') }),
    v.object({ kind: v.literal('files'), fingerprint: hash, train: v.pipe(v.array(keptFile), v.maxLength(200_000)), validation: v.pipe(v.array(keptFile), v.maxLength(200_000)) }),
  ]),
  tags: v.array(v.string()),
  notes: v.string(),
  directories: v.record(
    v.pipe(v.string(), v.regex(DIRECTORY_NAME, 'is no directory of a run')),
    v.object({
      step: count,
      saved_at: time,
      /** The state that every save replaces, not a checkpoint of its own. */
      rolling: v.optional(v.boolean()),
      /** The log's rows up to it are gone: nothing can go on from it. */
      passed_over: v.optional(v.literal(true)),
      files: v.pipe(v.array(directoryFile), v.maxLength(100)),
    }),
  ),
};

const manifestSchema = v.variant('format', [
  /** Listed the files of directories only; answers came without pictures, sampled answers not at all. */
  v.object({ format: v.literal(1), ...fields }),
  v.object({ format: v.literal(2), ...fields, /** All else that an import reads. */ files: v.pipe(v.array(partFile), v.maxLength(65_534)) }),
]);

type Manifest = Extract<v.InferOutput<typeof manifestSchema>, { format: 2 }>;

/** A manifest that was read and believed. */
export interface RunManifest extends Omit<Manifest, 'format' | 'files' | 'tags' | 'notes' | 'model' | 'dataset'> {
  /** Files beside the directories; null where the format does not list them. */
  files: StoredFile[] | null;
  config: TrainingConfig;
  model: ModelReference;
  dataset: DatasetReference;
  labels: RunLabels;
}

/** A directory as files show it. */
export interface ShownDirectory extends DirectoryRecord {
  name: string;
  rolling: boolean;
}

/** The directories that files show: the rolling resume state appears as the checkpoint of its step, of two such states the one to go on from. */
export function shownDirectories({ directories }: RunHead): ShownDirectory[] {
  const rolling = Object.hasOwn(directories, RESUME_DIRECTORY) ? directories[RESUME_DIRECTORY] : null;
  const asCheckpoint = rolling && `checkpoint-${rolling.step}`;
  const numbered = asCheckpoint !== null && Object.hasOwn(directories, asCheckpoint) ? directories[asCheckpoint] : null;
  const rollingShows = rolling !== null && (numbered === null || (numbered.passedOver === true && !rolling.passedOver));
  return Object.entries(directories).flatMap(([name, directory]): ShownDirectory[] => {
    if (name === RESUME_DIRECTORY) return rollingShows ? [{ ...directory, name: asCheckpoint!, rolling: true }] : [];
    return rollingShows && name === asCheckpoint ? [] : [{ ...directory, name, rolling: false }];
  });
}

/**
 * The manifest of a stored run, to be written as JSON. A folder's handle stays behind: it opens nothing elsewhere.
 * @param files what the export holds beside the directories
 */
export function manifestOf(run: RunRecord, head: RunHead, files: StoredFile[]): Manifest & { config: TrainingConfig } {
  const { model, dataset } = run;
  return {
    format: 2,
    id: run.id,
    name: run.name,
    created_at: run.createdAt,
    updated_at: head.updatedAt,
    status: head.status,
    step: head.step,
    total_steps: run.totalSteps,
    last_loss: head.lastLoss,
    model_name: run.modelName,
    model: model.kind === 'demo' ? model : { kind: 'files', name: model.name, fingerprint: model.fingerprint },
    dataset: dataset.kind === 'demo' ? dataset : { kind: 'files', fingerprint: dataset.fingerprint, train: dataset.train, validation: dataset.validation },
    tags: run.labels?.tags ?? [],
    notes: run.labels?.notes ?? '',
    config: run.config,
    directories: Object.fromEntries(shownDirectories(head).map(({ name, step, savedAt, rolling, passedOver, files }) => [name, { step, saved_at: savedAt, ...(rolling && { rolling }), ...(passedOver && { passed_over: passedOver }), files }])),
    files,
  };
}

/**
 * Reads a manifest; nothing in it is trusted.
 * @throws LorikeetError "file-corrupt" naming the field; "config" for settings that this version does not know
 */
export function parseManifest(content: string): RunManifest {
  const parsed = parseStrictJson(content, MANIFEST_FILE);
  const result = v.safeParse(manifestSchema, parsed);
  if (!result.success) {
    const [issue] = result.issues;
    throw fault(v.getDotPath(issue) ?? '', issue.message);
  }
  const { tags, notes, model, dataset, ...rest } = result.output;
  const files = 'files' in rest ? rest.files : null;
  checkDirectories(rest.directories);
  if (files) checkFiles(files);
  return {
    ...rest,
    files,
    config: parseTrainingConfig((parsed as { config?: unknown }).config),
    model: model.kind === 'demo' ? model : { ...model, handle: null },
    dataset: dataset.kind === 'demo' ? dataset : { ...dataset, kept: false },
    labels: cleanLabels({ tags, notes }),
  };
}

function fault(field: string, what: string): LorikeetError {
  return new LorikeetError('file-corrupt', `${MANIFEST_FILE}${field && `, ${field}`}: ${what}`, ADVICE, { file: MANIFEST_FILE, field });
}

/** The rolling state is one, and shows as the checkpoint of its step. */
function checkDirectories(directories: Manifest['directories']): void {
  const rolling = Object.entries(directories).filter(([, directory]) => directory.rolling);
  const odd = rolling.find(([name, { step }], i) => i > 0 || name !== `checkpoint-${step}`);
  if (odd) throw fault(`directories.${odd[0]}.rolling`, 'cannot be the rolling state');
}

/** Each part once: two pictures of one sample, or one step twice, cannot both be kept. */
function checkFiles(files: readonly StoredFile[]): void {
  const seen = new Set<string>();
  for (const [i, { path }] of files.entries()) {
    const part = path.replace(/\.[^.]*$/, '');
    if (seen.has(part)) throw fault(`files.${i}.path`, `${part} is listed twice`);
    seen.add(part);
  }
  if (!files.some(({ path }) => path === LOG_FILE)) throw fault('files', `${LOG_FILE} is not listed`);
}
