/** Files and folders on disk as the page gets them when they are dropped: paths that begin with the folder's name, contents not yet read. */
import { openAsBlob, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { PathFile } from '../../src/protocol/messages.ts';
import { MAX_DEPTH, MAX_FILES, tooDeep, tooFull } from '../../src/storage/walk-folder.ts';

/** @throws LorikeetError "file-too-large" for a folder that is fuller or deeper than the page reads */
export async function droppedFiles(path: string): Promise<PathFile[]> {
  const found: [path: string, shown: string][] = [];
  const walk = (from: string, shown: string, depth: number): void => {
    if (depth > MAX_DEPTH + 1) throw tooDeep(basename(path), shown);
    if (!statSync(from).isDirectory()) {
      if (found.push([from, shown]) > MAX_FILES) throw tooFull(basename(path));
      return;
    }
    for (const { name, parentPath } of readdirSync(from, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) walk(join(parentPath, name), `${shown}/${name}`, depth + 1);
  };
  walk(path, basename(path), 0);
  return Promise.all(found.map(async ([from, shown]) => ({ path: shown, file: await openAsBlob(from) })));
}
