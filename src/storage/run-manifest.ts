/** lorikeet_run.json: what a run's other files do not say, so that an exported run can be taken back as it was. */
import * as v from 'valibot';
import { parseStrictJson } from '../checkpoint/strict-json.ts';
import { parseTrainingConfig } from '../protocol/config.ts';
import type { TrainingConfig } from '../protocol/config.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { RunStatus } from '../protocol/messages.ts';
import { cleanLabels } from './labels.ts';
import type { DirectoryRecord, RunHead, RunLabels, RunRecord } from './records.ts';
import { RESUME_DIRECTORY } from './records.ts';
import type { DatasetReference, ModelReference } from './sources.ts';

export const MANIFEST_FILE = 'lorikeet_run.json';

const ADVICE = 'Export the run again; an archive that was edited or put together by hand cannot be taken back.';
const STATUSES = ['preparing', 'running', 'validating', 'paused', 'stopped', 'finished', 'failed', 'interrupted'] as const satisfies readonly RunStatus[];

const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal digits'));
const time = v.pipe(text(40), v.check((value) => Number.isFinite(Date.parse(value)), 'must be a time (ISO 8601)'));
const keptFile = v.object({ path: text(1000), size: count });

const manifestSchema = v.object({
  format: v.literal(1),
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
    v.pipe(v.string(), v.regex(/^(?:best|final|start|checkpoint-(?:samples-)?\d{1,12})$/, 'is no directory of a run')),
    v.object({
      step: count,
      saved_at: time,
      files: v.pipe(v.array(v.object({ path: v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'must be a plain file name')), size: count, sha256: hash })), v.maxLength(100)),
    }),
  ),
});

type Manifest = v.InferOutput<typeof manifestSchema>;

/** A manifest that was read and believed. */
export interface RunManifest extends Omit<Manifest, 'tags' | 'notes' | 'model' | 'dataset'> {
  config: TrainingConfig;
  model: ModelReference;
  dataset: DatasetReference;
  labels: RunLabels;
}

/** The directories that files show: the rolling resume state appears as the checkpoint of its step. */
export function shownDirectories(head: RunHead): [name: string, directory: DirectoryRecord][] {
  return Object.entries(head.directories).flatMap(([name, directory]): [string, DirectoryRecord][] => {
    const shown = name === RESUME_DIRECTORY ? `checkpoint-${directory.step}` : name;
    return shown !== name && Object.hasOwn(head.directories, shown) ? [] : [[shown, directory]];
  });
}

/** The manifest of a stored run, to be written as JSON. A folder's handle stays behind: it opens nothing elsewhere. */
export function manifestOf(run: RunRecord, head: RunHead): Manifest & { config: TrainingConfig } {
  const { model, dataset } = run;
  return {
    format: 1,
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
    directories: Object.fromEntries(shownDirectories(head).map(([name, { step, savedAt, files }]) => [name, { step, saved_at: savedAt, files }])),
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
    const field = v.getDotPath(issue) ?? '';
    throw new LorikeetError('file-corrupt', `${MANIFEST_FILE}${field && `, ${field}`}: ${issue.message}`, ADVICE, { file: MANIFEST_FILE, field });
  }
  const { tags, notes, model, dataset, ...rest } = result.output;
  return {
    ...rest,
    config: parseTrainingConfig((parsed as { config?: unknown }).config),
    model: model.kind === 'demo' ? model : { ...model, handle: null },
    dataset: dataset.kind === 'demo' ? dataset : { ...dataset, kept: false },
    labels: cleanLabels({ tags, notes }),
  };
}
