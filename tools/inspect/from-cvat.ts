/** Annotations from CVAT as the page's panel turns them into samples, with its own defaults. */
import { CVAT_DEFAULTS, type CvatImport, importCvat } from '../../src/data/cvat.ts';
import { cvatFiles } from '../../src/data/cvat-drop.ts';
import { fileKind } from '../../src/data/paths.ts';
import type { PathFile } from '../../src/protocol/messages.ts';

/** Null for files that are no annotations from there. */
export async function fromCvat(files: readonly PathFile[]): Promise<{ files: PathFile[]; converted: CvatImport } | null> {
  const annotated = await cvatFiles(files);
  if (!annotated) return null;
  const converted = await importCvat(annotated, CVAT_DEFAULTS, 'exact');
  const parts = { train: converted.train, val: converted.validation };
  const records = Object.entries(parts).flatMap(([name, part]) => (part.length === 0 ? [] : [{ path: `${name}.json`, file: new Blob([JSON.stringify(part)]) }]));
  return { files: [...records, ...annotated.filter(({ path }) => fileKind(path) === 'image')], converted };
}
