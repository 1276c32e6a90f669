/** Puts a data file and the images it names into a folder of their own, as a person would pick it on the page. */
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** Every string below a parsed JSON value. */
function* strings(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const child of Object.values(value)) yield* strings(child);
}

function parseLeniently(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.split('\n').map((line) => {
      try {
        return JSON.parse(line) as unknown;
      } catch {
        return null; // The page itself reports broken lines.
      }
    });
  }
}

/**
 * Files that the data file's strings name, relative to its folder. Names that lead out of the folder are left to the page to refuse.
 */
export function referencedFiles(dataFile: string): string[] {
  const folder = dirname(resolve(dataFile));
  const found = new Set<string>();
  for (const text of strings(parseLeniently(readFileSync(dataFile, 'utf8')))) {
    if (text.length === 0 || text.length > 1024 || text.includes('\n') || text.includes('\0')) continue;
    const path = resolve(folder, text);
    if (path.startsWith(folder + sep) && existsSync(path) && statSync(path).isFile()) found.add(path.slice(folder.length + 1));
  }
  return [...found].sort();
}

/**
 * Links (or copies, across disks) the data file and what it names into the folder.
 * @returns the folder
 */
export function stageDataset(dataFile: string, folder: string): string {
  const source = dirname(resolve(dataFile));
  for (const name of [basename(dataFile), ...referencedFiles(dataFile)]) {
    const target = join(folder, name);
    mkdirSync(dirname(target), { recursive: true });
    if (existsSync(target)) continue;
    try {
      linkSync(join(source, name), target);
    } catch {
      copyFileSync(join(source, name), target);
    }
  }
  return folder;
}
