/** Sweeps in IndexedDB: their plan, and how far they have come. */
import type { TrainingConfig } from '../protocol/config.ts';
import type { ErrorRecord } from '../protocol/errors.ts';
import type { AdapterSource } from '../protocol/messages.ts';
import type { SweepDefinition, SweepSettings } from '../protocol/sweep.ts';
import { commit, keysUnder, readAll, readEntries } from './database.ts';
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

const isSweep = (value: unknown): value is SweepRecord => {
  const { id, runs, definition, base } = (value ?? {}) as Partial<SweepRecord>;
  return typeof id === 'string' && Array.isArray(runs) && typeof definition === 'object' && typeof base === 'object';
};

/** All sweeps that can be read, newest first: a damaged one must not take the others with it. */
export async function listSweeps(): Promise<SweepRecord[]> {
  const stored = await readAll<unknown>(keysUnder('sweep'));
  return stored.filter(isSweep).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
}

/** Ids of the sweeps whose record is damaged, which no list shows. */
export async function damagedSweeps(): Promise<string[]> {
  return (await readEntries<unknown>(keysUnder('sweep'))).filter(([, value]) => !isSweep(value)).map(([key]) => String(key[1]));
}

/** Stores a sweep as it stands. */
export async function saveSweep(sweep: SweepRecord): Promise<void> {
  await commit({ put: [[keyOf(sweep.id), sweep]] });
}

/** Forgets a sweep; its runs stay. */
export async function removeSweep(id: string): Promise<void> {
  await commit({ remove: [keyOf(id)] });
}
