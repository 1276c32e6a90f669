/** The bundle's own files, as text: what run.json says, the training script, configurations and the README. */
import type { TrainingConfig } from '../protocol/config.ts';
import { ACCELERATE_FILES } from './accelerate.ts';
import { PYTHON_FILES, REQUIREMENTS } from './python-files.ts';
import { bundleReadme } from './readme.ts';

/** Where the base model is found. */
export interface BaseModel {
  /** Id on the Hub, the name of a folder, or "base" for one that lies in the bundle. */
  id: string;
  /** Commit on the Hub; null where it is not known. */
  revision: string | null;
  place: 'hub' | 'folder' | 'bundle';
}

export interface HandedRun {
  name: string;
  config: TrainingConfig;
  base: BaseModel;
  /** Steps done, and of the whole run. */
  step: number;
  totalSteps: number;
  dataFingerprint: string;
  /** `totals` of trainer_state.json, so that log windows go on where they were. */
  totals: unknown;
  /** Whether the run began from an adapter, which lies in start/. */
  startsFromAdapter: boolean;
  samples: { train: number; validation: number };
}

/** Text files of the bundle by path, without the run's own (adapter, optimizer, data). */
export function bundleTexts(run: HandedRun): Map<string, string> {
  const facts = {
    format: 1,
    name: run.name,
    base_model: run.base,
    step: run.step,
    total_steps: run.totalSteps,
    data_fingerprint: run.dataFingerprint,
    starts_from_adapter: run.startsFromAdapter,
    totals: run.totals,
    config: run.config,
  };
  return new Map([
    ['README.md', bundleReadme(run)],
    ['run.json', `${JSON.stringify(facts, null, 2)}\n`],
    ['requirements.txt', REQUIREMENTS],
    ...Object.entries(PYTHON_FILES),
    ...Object.entries(ACCELERATE_FILES),
  ]);
}

/** What transformers' Trainer keeps of its control; it will not save a checkpoint after a start from a state without it. */
const CONTROL = { args: { should_training_stop: false, should_epoch_stop: false, should_save: false, should_evaluate: false, should_log: false }, attributes: {} };

/** trainer_state.json as transformers reads it: its own keys alone. */
export function plainTrainerState(text: string): string {
  const { lorikeet: _ours, ...theirs } = JSON.parse(text) as Record<string, unknown>;
  return `${JSON.stringify({ ...theirs, stateful_callbacks: { TrainerControl: CONTROL } }, null, 2)}\n`;
}
