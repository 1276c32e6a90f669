/** Dropped files: archives opened, paths normalised, sorted by what they are. */
import type { PathFile } from '../protocol/messages.ts';
import { fileKind, normalizePath } from './paths.ts';
import type { ProblemList } from './problems.ts';
import { readZip } from './zip.ts';

export interface SortedFiles {
  /** JSON and JSONL files, by path. */
  records: PathFile[];
  /** Pictures and clips. */
  media: PathFile[];
  /** Paths of files of other kinds. */
  ignored: string[];
}

/** Opens archives, normalises paths and sorts by kind; everything unusable is reported. */
export async function sortByKind(files: readonly PathFile[], problems: ProblemList): Promise<SortedFiles> {
  const sorted: SortedFiles = { records: [], media: [], ignored: [] };
  const { ignored } = sorted;
  const take = (entry: PathFile) => {
    const kind = fileKind(entry.path);
    if (kind === 'records') sorted.records.push(entry);
    else if (kind === 'image' || kind === 'video') sorted.media.push(entry);
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
      for (const name of contents.ignored) ignored.push(`${entry.path}/${name}`);
    } catch (error) {
      problems.caught(error);
    }
  }
  if (ignored.length > 0) {
    const shown = ignored.slice(0, 5).join(', ') + (ignored.length > 5 ? ', …' : '');
    problems.warning(`${ignored.length} files are neither JSON, JSONL, images nor videos and were left out: ${shown}`, 'Nothing to do unless samples or images are missing.');
  }
  sorted.records.sort((a, b) => (a.path < b.path ? -1 : 1));
  return sorted;
}
