/** What is left of a run that fell, for whoever looks into it. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import { ROOT } from '../browser/ensure-build.ts';
import type { Struck } from './faults.ts';

export interface Evidence {
  /** What is wrong, a line each. */
  outcome: readonly string[];
  diary: readonly string[];
  struck: readonly Struck[];
  picture: Uint8Array | null;
  /** The run's files by path, where it came to an end, and those of the undisturbed one. */
  found: Record<string, Uint8Array> | null;
  whole: Record<string, Uint8Array>;
}

/** @returns the folder, below outputs/soak */
export function keepEvidence(name: string, { outcome, diary, struck, picture, found, whole }: Evidence): string {
  const folder = join(ROOT, 'outputs/soak', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'diary.txt'), [...diary, '', ...outcome, ''].join('\n'));
  writeFileSync(join(folder, 'struck.json'), JSON.stringify(struck, null, 2));
  if (picture) writeFileSync(join(folder, 'page.png'), picture);
  if (found) writeFileSync(join(folder, 'found.zip'), zipSync(found));
  writeFileSync(join(folder, 'undisturbed.zip'), zipSync(whole));
  return folder;
}
