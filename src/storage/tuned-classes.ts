/** What a device was found to be fastest with, kept for the next visit. */
import * as v from 'valibot';
import type { TunedClass } from '../protocol/tuning.ts';
import { commit, keysUnder, readEntries, readKeys, type RecordKey } from './database.ts';

/** What a finding holds for: another browser compiles the same kernel otherwise, and other kernels are others. */
export interface TuningScope {
  adapter: string;
  browser: string;
  /** Of the kernels. */
  version: number;
}

/** Begun but not found so often: whatever it does to this device, it is not tried again. */
const MOST_ATTEMPTS = 2;

const record = v.object({
  attempts: v.number(),
  found: v.nullable(v.object({ key: v.string(), variant: v.string(), usual: v.boolean(), milliseconds: v.number(), share: v.nullable(v.number()) })),
});

const under = ({ adapter, browser, version }: TuningScope): RecordKey => ['tuning', adapter, browser, version];
const keyOf = (scope: TuningScope, key: string): RecordKey => [...under(scope), key];

export interface KeptTuning {
  found: TunedClass[];
  /** Keys of classes that were begun twice and never came to an end, as when the GPU went away. */
  avoided: string[];
  /** How often each class has been begun. */
  attempts: ReadonlyMap<string, number>;
}

/** All that is kept for a scope. What was found with this adapter in other browsers or with other kernels is removed. */
export async function readTuning(scope: TuningScope): Promise<KeptTuning> {
  const entries = await readEntries<unknown>(keysUnder(...under(scope)));
  const mine = new Set(entries.map(([key]) => JSON.stringify(key)));
  const stale = (await readKeys(keysUnder('tuning', scope.adapter))).filter((key) => !mine.has(JSON.stringify(key)));
  if (stale.length > 0) await commit({ remove: stale });
  const kept: { found: TunedClass[]; avoided: string[]; attempts: Map<string, number> } = { found: [], avoided: [], attempts: new Map() };
  for (const [key, value] of entries) {
    const { success, output } = v.safeParse(record, value);
    if (!success) continue;
    const name = String(key[key.length - 1]);
    kept.attempts.set(name, output.attempts);
    if (output.found) kept.found.push(output.found);
    else if (output.attempts >= MOST_ATTEMPTS) kept.avoided.push(name);
  }
  return kept;
}

/** Notes that a class is begun, so that one that takes the GPU down is not begun for ever; 0 takes it back. */
export async function noteAttempt(scope: TuningScope, key: string, attempts: number): Promise<void> {
  await commit({ put: [[keyOf(scope, key), { attempts, found: null }]] });
}

export async function keepTuned(scope: TuningScope, found: TunedClass): Promise<void> {
  await commit({ put: [[keyOf(scope, found.key), { attempts: 0, found }]] });
}

export async function forgetTuning(scope: TuningScope): Promise<void> {
  await commit({ remove: [keysUnder(...under(scope))] });
}
