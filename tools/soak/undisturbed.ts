/** The run that nothing disturbed, kept between calls: it is the same as long as page, settings and browser are. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import type { TrainingConfig } from '../../src/protocol/config.ts';
import { findChromium } from '../browser/chromium.ts';
import { ROOT } from '../browser/ensure-build.ts';
import { OPERATIONS, type Counts } from './faults.ts';

const COUNTS = 'operations.json';

export interface Undisturbed {
  /** Its files by path. */
  files: Record<string, Uint8Array>;
  /** How many operations of each kind it has. */
  counts: Counts;
}

/** Built files carry their contents' hash in their names. */
function placeOf(config: TrainingConfig): string {
  const key = JSON.stringify([readdirSync(join(ROOT, 'dist/assets')).sort(), config, findChromium(), OPERATIONS]);
  return join(ROOT, '.cache/soak', `${createHash('sha256').update(key).digest('hex').slice(0, 16)}.zip`);
}

/**
 * Takes it from where it was kept, or trains it.
 * @param train trains it, on a page that is built
 */
export async function undisturbed(config: TrainingConfig, train: () => Promise<Undisturbed>): Promise<Undisturbed> {
  const place = placeOf(config);
  if (existsSync(place)) {
    const { [COUNTS]: counts, ...files } = unzipSync(readFileSync(place));
    return { files, counts: JSON.parse(new TextDecoder().decode(counts)) as Counts };
  }
  const made = await train();
  mkdirSync(join(place, '..'), { recursive: true });
  writeFileSync(place, zipSync({ ...made.files, [COUNTS]: new TextEncoder().encode(JSON.stringify(made.counts)) }));
  return made;
}
