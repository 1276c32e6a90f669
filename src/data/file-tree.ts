/** Dropped files: archives opened, paths normalised, sorted by what they are. */
import type { PathFile } from '../protocol/messages.ts';
import type { AnnotationSet } from './annotations/annotated-image.ts';
import { classFolders, readAnnotationFolders } from './annotations/annotation-folders.ts';
import { divide } from './annotations/beside-records.ts';
import { baseName, fileKind, normalizePath } from './paths.ts';
import type { ProblemList } from './problems.ts';
import { isSampleFile, readZip, ZIP_LIMITS } from './zip.ts';

export interface SortedFiles {
  /** JSON, JSONL, CSV and parquet files, by path. */
  records: PathFile[];
  /** Annotations that lie in many small files, apart from any records. */
  annotations: AnnotationSet[];
  /** Pictures and clips. */
  media: PathFile[];
  /** Paths of files of other kinds. */
  ignored: string[];
}

/** Opens archives, normalises paths and sorts by kind; everything unusable is reported. */
export async function sortByKind(files: readonly PathFile[], problems: ProblemList): Promise<SortedFiles> {
  const sorted: SortedFiles = { records: [], annotations: [], media: [], ignored: [] };
  const texts: PathFile[] = [];
  const { ignored } = sorted;
  const take = (entry: PathFile) => {
    const kind = fileKind(entry.path);
    if (kind === 'records') sorted.records.push(entry);
    else if (kind === 'annotation') texts.push(entry);
    else if (kind === 'image' || kind === 'video') sorted.media.push(entry);
    else if (kind !== 'clutter') ignored.push(entry.path);
  };
  const ignoreAll = (unread: readonly PathFile[]) => {
    for (const { path } of unread) ignored.push(path);
  };
  for (const { path, file } of files) {
    const entry = { path: normalizePath(path), file };
    if (fileKind(entry.path) !== 'archive') {
      take(entry);
      continue;
    }
    try {
      const contents = await readZip(entry, ZIP_LIMITS, isSampleFile, (path) => fileKind(path) === 'image');
      contents.files.forEach(take);
      for (const name of contents.ignored) ignored.push(`${entry.path}/${name}`);
    } catch (error) {
      problems.caught(error);
    }
  }
  if (sorted.records.every(isNotes)) {
    const { sets, used } = await readAnnotationFolders(texts, sorted.media, problems);
    if (sets.length > 0) ignored.push(...sorted.records.splice(0).map(({ path }) => path));
    const none = sets.length === 0 && sorted.records.length === 0 && problems.count === 0;
    sorted.annotations = none ? (classFolders(sorted.media) ?? []) : sets;
    ignoreAll(texts.filter((file) => !used.has(file)));
  } else if (texts.length > 0) {
    const { apart, beside, belonging } = await divide(texts, sorted.media, sorted.records);
    const { sets, used } = await readAnnotationFolders(apart, sorted.media, problems);
    sorted.annotations = sets;
    for (const file of [...beside.values(), belonging].flat()) used.add(file);
    for (const [layout, files] of beside) {
      problems.warning(`${files.length} annotations of ${layout} were left out: they lie beside files of records.`, 'Drop them without the records, or in a folder of their own with their images, to train on them.', { file: files[0].path });
    }
    ignoreAll(texts.filter((file) => !used.has(file)));
  }
  if (ignored.length > 0) {
    const shown = ignored.slice(0, 5).join(', ') + (ignored.length > 5 ? ', …' : '');
    problems.warning(`${ignored.length} files are neither records, annotations, images nor videos and were left out: ${shown}`, 'Nothing to do unless samples or images are missing.');
  }
  sorted.records.sort((a, b) => (a.path < b.path ? -1 : 1));
  return sorted;
}

/** What Label Studio puts beside its YOLO export: the classes once more. */
function isNotes({ path }: PathFile): boolean {
  return baseName(path) === 'notes.json';
}
