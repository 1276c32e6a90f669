/** Files and folders on disk as the page gets them when they are dropped: paths that begin with the folder's name, contents not yet read. */
import { openAsBlob, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { PathFile } from '../../src/protocol/messages.ts';
import { UsageError } from '../browser/command-line.ts';

/** More files than the page takes. */
const MAX_FILES = 500_000;

/** @throws UsageError when there are too many files */
export async function droppedFiles(path: string): Promise<PathFile[]> {
  const found: [path: string, shown: string][] = [];
  const walk = (from: string, shown: string): void => {
    if (!statSync(from).isDirectory()) {
      if (found.push([from, shown]) > MAX_FILES) throw new UsageError(`${path} holds more than ${MAX_FILES} files.`);
      return;
    }
    for (const { name, parentPath } of readdirSync(from, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) walk(join(parentPath, name), `${shown}/${name}`);
  };
  walk(path, basename(path));
  return Promise.all(found.map(async ([from, shown]) => ({ path: shown, file: await openAsBlob(from) })));
}
