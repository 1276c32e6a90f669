/** The search for a picture, a clip or a folder of frames by the path that a record gives. */
import type { PathFile } from '../protocol/messages.ts';
import { baseName, fileKind, folderOf, normalizePath, stemOf } from './paths.ts';

export type Lookup =
  | { kind: 'found'; file: PathFile; /** Only the file name agrees; the folders differ. */ byNameOnly: boolean }
  | { kind: 'ambiguous'; paths: string[] }
  | { kind: 'missing' };

/** A folder of pictures that stands for a clip. */
export interface FrameFolder {
  path: string;
  /** In the order of their names, numbers counted as numbers. */
  frames: PathFile[];
}

export class MediaIndex {
  private readonly byPath = new Map<string, PathFile[]>();
  private readonly byName = new Map<string, PathFile[]>();
  private readonly folders = new Map<string, PathFile[]>();

  /** @param others paths of dropped files that are neither pictures nor clips: they explain what is missing */
  constructor(
    readonly files: readonly PathFile[],
    private readonly others: readonly string[] = [],
  ) {
    for (const file of files) {
      push(this.byPath, file.path, file);
      push(this.byName, baseName(file.path), file);
      if (fileKind(file.path) === 'image') push(this.folders, folderOf(file.path), file);
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
      if (exact) return exact.length === 1 ? { kind: 'found', file: exact[0], byNameOnly: false } : { kind: 'ambiguous', paths: exact.map((file) => file.path) };
    }
    const best = longestShared(this.byName.get(baseName(wanted)) ?? [], wanted, (file) => file.path);
    if (best.items.length === 0) return { kind: 'missing' };
    if (best.items.length > 1) return { kind: 'ambiguous', paths: best.items.map((file) => file.path) };
    const [file] = best.items;
    return { kind: 'found', file, byNameOnly: best.shared === 1 && file.path.includes('/') && wanted.includes('/') };
  }

  /**
   * A folder of frames by its path, or by the path of the video file it was made from ("clips/1.mp4" -> "clips/1").
   * Searched as `find` does; null where there is none, or where several fit.
   */
  findFolder(reference: string, recordFile: string): FrameFolder | null {
    const wanted = normalizePath(reference);
    for (const path of new Set([wanted, ...(fileKind(wanted) === 'video' ? [stemOf(wanted)] : [])])) {
      if (path === '') continue;
      const exact = [normalizePath(`${folderOf(recordFile)}/${path}`), path].find((candidate) => this.folders.has(candidate));
      const best = exact === undefined ? longestShared([...this.folders.keys()], path, (folder) => folder).items : [exact];
      if (best.length === 1) return { path: best[0], frames: [...this.folders.get(best[0])!].sort((a, b) => byNumber.compare(a.path, b.path)) };
    }
    return null;
  }

  /** Files that a missing path may have meant: same name in other letters, or with another ending. */
  lookalikes(reference: string): string[] {
    const wanted = baseName(normalizePath(reference)).toLowerCase();
    const names = [...this.files.map(({ path }) => path), ...this.others];
    const sameLetters = names.filter((path) => baseName(path).toLowerCase() === wanted);
    return sameLetters.length > 0 ? sameLetters : names.filter((path) => stemOf(baseName(path)).toLowerCase() === stemOf(wanted));
  }
}

const byNumber = new Intl.Collator('en', { numeric: true });

function push(map: Map<string, PathFile[]>, key: string, file: PathFile): void {
  const files = map.get(key);
  if (files) files.push(file);
  else map.set(key, [file]);
}

/** Those whose paths agree with the wanted one in the most parts, counted from the end, and in how many. */
function longestShared<T>(items: readonly T[], wanted: string, pathOf: (item: T) => string): { items: T[]; shared: number } {
  const counts = items.map((item) => sharedEnding(pathOf(item), wanted));
  const shared = counts.reduce((most, count) => Math.max(most, count), 0);
  return { items: shared === 0 ? [] : items.filter((_, i) => counts[i] === shared), shared };
}

/** Number of path parts that agree, counted from the end. */
function sharedEnding(a: string, b: string): number {
  const left = a.split('/').reverse();
  const right = b.split('/').reverse();
  let count = 0;
  while (count < left.length && count < right.length && left[count] === right[count]) count++;
  return count;
}
