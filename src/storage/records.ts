/** What is stored of a run, and the training log put together from it. */
import type { TrainingConfig } from '../protocol/config.ts';
import type { BestCheckpoint, RunEnvironment, RunNotice, TrainingLog, TrainRow, ValRow } from '../protocol/log.ts';
import type { RunStatus } from '../protocol/messages.ts';
import type { RecordKey } from './database.ts';
import { keysUnder } from './database.ts';
import type { DatasetReference, ModelReference } from './sources.ts';

/** Fixed when the run starts; only its name and its removal change later, and only the page changes them. */
export interface RunRecord {
  id: string;
  name: string;
  createdAt: string;
  config: TrainingConfig;
  /** `config` of the training log: the settings with the original tools' names beside them. */
  logConfig: Record<string, unknown>;
  modelName: string;
  model: ModelReference;
  dataset: DatasetReference;
  environment: RunEnvironment;
  totalSteps: number;
  /** Set while the run lies in the bin. */
  deletedAt: string | null;
  /** What the user wrote to it; absent until then. */
  labels?: RunLabels;
}

/** The user's own words about a run. */
export interface RunLabels {
  tags: string[];
  notes: string;
}

export interface StoredFile {
  /** Name inside its directory. */
  path: string;
  size: number;
  /** Hexadecimal SHA-256. */
  sha256: string;
}

/** A complete directory of the run. Its files lie under the token, so that a half-written successor never touches them. */
export interface DirectoryRecord {
  token: string;
  step: number;
  savedAt: string;
  files: StoredFile[];
  /** Set once the run went on from an earlier state: the log's rows up to this one are gone, so that nothing can go on from here. */
  passedOver?: true;
}

/** The moving part of a run; written by the run's own worker only. */
export interface RunHead {
  status: RunStatus;
  step: number;
  updatedAt: string;
  lastLoss: number | null;
  best: BestCheckpoint | null;
  finalMetrics: TrainingLog['final_metrics'];
  directories: Record<string, DirectoryRecord>;
  /** Numbers of the log's first record and of the one after its last, so that a lost one is noticed; absent in runs of old. */
  log?: { first: number; next: number };
}

export type LogEntry = { kind: 'train'; row: TrainRow } | { kind: 'val'; row: ValRow } | { kind: 'notice'; row: RunNotice };

/** Directory of the rolling exact-resume state. In files it appears as the checkpoint of its step. */
export const RESUME_DIRECTORY = 'resume';

/** Files of an adapter (PEFT), and what a checkpoint holds besides. */
export const ADAPTER_FILES = ['adapter_config.json', 'adapter_model.safetensors'] as const;
export const STATE_FILES = ['optimizer.safetensors', 'trainer_state.json'] as const;

export const keyOf = {
  run: (id: string): RecordKey => ['run', id],
  head: (id: string): RecordKey => ['head', id],
  rows: (id: string, sequence: number): RecordKey => ['row', id, sequence],
  file: (id: string, token: string, path: string): RecordKey => ['file', id, token, path],
  predictions: (id: string, step: number): RecordKey => ['predictions', id, step],
  answers: (id: string): RecordKey => ['answers', id],
  completions: (id: string, step: number): RecordKey => ['completions', id, step],
  /** Image of a training sample that completions refer to. */
  sampleImage: (id: string, sample: number): RecordKey => ['sample-image', id, sample],
};

export const rangeOf = {
  runs: () => keysUnder('run'),
  rows: (id: string) => keysUnder('row', id),
  files: (id: string) => keysUnder('file', id),
  directory: (id: string, token: string) => keysUnder('file', id, token),
  predictions: (id: string) => keysUnder('predictions', id),
  completions: (id: string) => keysUnder('completions', id),
  sampleImages: (id: string) => keysUnder('sample-image', id),
};

/** All keys of a run. */
export function everythingOf(id: string): (RecordKey | IDBKeyRange)[] {
  const ranges = [rangeOf.rows(id), rangeOf.files(id), rangeOf.predictions(id), rangeOf.completions(id), rangeOf.sampleImages(id)];
  return [keyOf.run(id), keyOf.head(id), keyOf.answers(id), ...ranges];
}

/** True for directories that hold exact-resume state. */
export function isCheckpoint(directory: string): boolean {
  return directory === RESUME_DIRECTORY || /^checkpoint-(samples-)?\d+$/.test(directory);
}

/** True for a directory from which training can go on exactly: adapter, optimizer and the trainer's state, and a log that reaches to it. */
export function isResumable(name: string, directory: DirectoryRecord): boolean {
  const held = new Set(directory.files.map(({ path }) => path));
  return isCheckpoint(name) && !directory.passedOver && [...ADAPTER_FILES, ...STATE_FILES].every((file) => held.has(file));
}

/** Puts the log together from the run's records. */
export function buildLog(run: RunRecord, head: RunHead, entries: readonly LogEntry[]): TrainingLog {
  return {
    config: run.logConfig,
    train_history: entries.flatMap((entry) => (entry.kind === 'train' ? [entry.row] : [])),
    val_history: entries.flatMap((entry) => (entry.kind === 'val' ? [entry.row] : [])),
    best_checkpoint: head.best,
    final_metrics: head.finalMetrics,
    environment: run.environment,
    notices: entries.flatMap((entry) => (entry.kind === 'notice' ? [entry.row] : [])),
  };
}
