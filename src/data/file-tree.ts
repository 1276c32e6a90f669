/** Dropped files, archives opened, and the search for an image by the path a record gives. */
import type { PathFile } from '../protocol/messages.ts';
import { baseName, fileKind, folderOf, normalizePath } from './paths.ts';
import type { ProblemList } from './problems.ts';
import { readZip } from './zip.ts';

export interface SortedFiles {
  /** JSON and JSONL files, by path. */
  records: PathFile[];
  images: PathFile[];
}

/** Opens archives, normalises paths and sorts by kind; everything unusable is reported. */
export async function sortByKind(files: readonly PathFile[], problems: ProblemList): Promise<SortedFiles> {
  const sorted: SortedFiles = { records: [], images: [] };
  const ignored: string[] = [];
  const take = (entry: PathFile) => {
    const kind = fileKind(entry.path);
    if (kind === 'records') sorted.records.push(entry);
    else if (kind === 'image') sorted.images.push(entry);
    else if (kind !== 'clutter') ignored.push(entry.path);
  };
  for (const { path, file } of files) {
    const entry = { path: normalizePath(path), file };
    if (fileKind(entry.path) !== 'archive') {
      take(entry);
      continue;
    }
    try {
      const contents = await readZip(entry);
      contents.files.forEach(take);
      ignored.push(...contents.ignored.map((name) => `${entry.path}/${name}`));
    } catch (error) {
      problems.caught(error);
    }
  }
  if (ignored.length > 0) {
    const shown = ignored.slice(0, 5).join(', ') + (ignored.length > 5 ? ', …' : '');
    problems.warning(`${ignored.length} files are neither JSON, JSONL nor images and were left out: ${shown}`, 'Nothing to do unless samples or images are missing.');
  }
  sorted.records.sort((a, b) => (a.path < b.path ? -1 : 1));
  return sorted;
}

export type Lookup =
  | { kind: 'found'; file: PathFile; /** Only the file name agrees; the folders differ. */ byNameOnly: boolean }
  | { kind: 'ambiguous'; paths: string[] }
  | { kind: 'missing' };

/** Finds images by path. */
export class ImageIndex {
  private readonly byPath = new Map<string, PathFile[]>();
  private readonly byName = new Map<string, PathFile[]>();

  constructor(images: readonly PathFile[]) {
    for (const image of images) {
      push(this.byPath, image.path, image);
      push(this.byName, baseName(image.path), image);
    }
  }

  /** Paths that more than one file has. */
  get duplicates(): string[] {
    return [...this.byPath].filter(([, files]) => files.length > 1).map(([path]) => path);
  }

  /**
   * Looks beside the record's file first, then from the top, then for the file whose path shares the longest ending.
   * @param reference path as the record gives it: relative, or absolute on another machine
   * @param recordFile path of the JSON file
   */
  find(reference: string, recordFile: string): Lookup {
    const wanted = normalizePath(reference);
    if (wanted === '') return { kind: 'missing' };
    for (const path of [normalizePath(`${folderOf(recordFile)}/${reference}`), wanted]) {
      const exact = this.byPath.get(path);
      if (exact) return exact.length === 1 ? { kind: 'found', file: exact[0], byNameOnly: false } : { kind: 'ambiguous', paths: exact.map((image) => image.path) };
    }
    const candidates = this.byName.get(baseName(wanted)) ?? [];
    const shared = candidates.map((image) => sharedEnding(image.path, wanted));
    const most = Math.max(0, ...shared);
    const best = candidates.filter((_, i) => shared[i] === most);
    if (best.length === 0) return { kind: 'missing' };
    if (best.length > 1) return { kind: 'ambiguous', paths: best.map((image) => image.path) };
    const [file] = best;
    return { kind: 'found', file, byNameOnly: most === 1 && file.path.includes('/') && wanted.includes('/') };
  }
}

function push(map: Map<string, PathFile[]>, key: string, file: PathFile): void {
  const files = map.get(key);
  if (files) files.push(file);
  else map.set(key, [file]);
}

/** Number of path parts that agree, counted from the end. */
function sharedEnding(a: string, b: string): number {
  const left = a.split('/').reverse();
  const right = b.split('/').reverse();
  let count = 0;
  while (count < left.length && count < right.length && left[count] === right[count]) count++;
  return count;
}
