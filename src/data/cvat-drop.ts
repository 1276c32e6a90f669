/** Tells annotations from CVAT apart from datasets, and opens the ZIP archives in which CVAT delivers them. */
import type { PathFile } from '../protocol/messages.ts';
import { fileKind } from './paths.ts';
import { readZip } from './zip.ts';

const isAnnotation = (path: string) => /\.xml$/i.test(path);
/** Where the root's name stands at the latest. */
const START_BYTES = 4096;

const isPart = (path: string) => isAnnotation(path) || fileKind(path) === 'image';

/** Whether a look into the files is worth it. */
export function mayHoldCvat(files: readonly PathFile[]): boolean {
  return !files.some(({ path }) => fileKind(path) === 'records') && files.some(({ path }) => isAnnotation(path) || fileKind(path) === 'archive');
}

/**
 * Files of a drop that holds annotations and no records of its own, archives opened; null for every other drop.
 * An archive that cannot be read makes it another drop: the dataset's reader says what is wrong with it.
 */
export async function cvatFiles(files: readonly PathFile[]): Promise<PathFile[] | null> {
  if (!mayHoldCvat(files)) return null;
  const archives = files.filter(({ path }) => fileKind(path) === 'archive');
  const loose = files.filter(({ path }) => fileKind(path) !== 'archive');
  try {
    // Names first: a dataset's archive may be large, and is not unpacked twice.
    const listed = await Promise.all(archives.map((archive) => readZip(archive, undefined, () => false)));
    const names = listed.flatMap(({ ignored }) => ignored);
    if (names.some((name) => fileKind(name) === 'records')) return null;
    if (![...names, ...loose.map(({ path }) => path)].some(isAnnotation)) return null;
    const opened = await Promise.all(archives.map((archive) => readZip(archive, undefined, isPart)));
    const all = [...loose, ...opened.flatMap((contents) => contents.files)];
    return (await holdsTask(all)) ? all : null;
  } catch {
    return null;
  }
}

/** Pascal VOC's root is called <annotation>, and its files are many: the first ones tell. */
async function holdsTask(files: readonly PathFile[]): Promise<boolean> {
  for (const { path, file } of files) {
    if (isAnnotation(path)) return !/<annotation[\s>]/.test(await file.slice(0, START_BYTES).text());
  }
  return false;
}
