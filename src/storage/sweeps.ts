/** Sweeps in IndexedDB: their plan, and how far they have come. */
import type { TrainingConfig } from '../protocol/config.ts';
import type { ErrorRecord } from '../protocol/errors.ts';
import type { AdapterSource } from '../protocol/messages.ts';
import type { SweepDefinition, SweepSettings } from '../protocol/sweep.ts';
import { commit, keysUnder, readAll } from './database.ts';
import type { RecordKey } from './database.ts';

export interface SweepRun {
  settings: SweepSettings;
  /** Set once the run exists. */
  runId: string | null;
  state: 'waiting' | 'running' | 'done' | 'stopped' | 'failed';
  /** Why it failed. */
  error: ErrorRecord | null;
}

export interface SweepRecord {
  id: string;
  createdAt: string;
  definition: SweepDefinition;
  /** Settings common to all runs. */
  base: TrainingConfig;
  /** What has to be loaded to go on; null is the built-in model. */
  model: string | null;
  dataset: 'demo' | 'files';
  /** What every run starts from. */
  adapter: AdapterSource | null;
  runs: SweepRun[];
  state: 'running' | 'paused' | 'stopped' | 'finished';
}

const keyOf = (id: string): RecordKey => ['sweep', id];

/** True for ids of sweeps, which share their place in the address with runs. */
export function isSweepId(id: string): boolean {
  return id.startsWith('sweep-');
}

/** All sweeps, newest first. */
export async function listSweeps(): Promise<SweepRecord[]> {
  const stored = await readAll<Partial<SweepRecord> | null>(keysUnder('sweep'));
  // A damaged one must not take the others with it.
  const sweeps = stored.filter((sweep): sweep is SweepRecord => typeof sweep === 'object' && sweep !== null && typeof sweep.id === 'string' && Array.isArray(sweep.runs) && typeof sweep.definition === 'object' && typeof sweep.base === 'object');
  return sweeps.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

/** Stores a sweep as it stands. */
export async function saveSweep(sweep: SweepRecord): Promise<void> {
  await commit({ put: [[keyOf(sweep.id), sweep]] });
}

/** Forgets a sweep; its runs stay. */
export async function removeSweep(id: string): Promise<void> {
  await commit({ remove: [keyOf(id)] });
}
