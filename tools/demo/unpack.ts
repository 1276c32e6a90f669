/** Writes a run's ZIP into a folder. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { unzipSync } from 'fflate';

/** What a run consists of at the top of its folder; an older run's is removed before a new one is written. */
const RUN_ENTRY = /^(training_log\.json|lorikeet_run\.json|\w+_config\.json|val_predictions\.jsonl|val_answers\.jsonl|best|final|start|reference|completions|checkpoint-.+|events\.out\.tfevents\..+)$/;

/** Its pictures: files of these names only, since others may keep theirs in a folder of that name too. */
const PICTURES = 'pictures';
const RUN_PICTURE = /^(sample|answer)-\d+\.(png|jpg|webp)$/;

/** The folder that all names share ("run-1/"), or '' when there is none. */
export function commonFolder(names: readonly string[]): string {
  const first = names[0] ?? '';
  const end = first.indexOf('/') + 1;
  const folder = first.slice(0, end);
  return names.every((name) => name.startsWith(folder)) ? folder : '';
}

/**
 * Unpacks the archive; a folder round everything is dropped. An older run in the target is replaced as a whole.
 * @param out target folder
 * @returns the written paths relative to it
 * @throws Error for a broken archive or a name that leaves the folder
 */
export function unpackRun(zip: Uint8Array, out: string): string[] {
  const root = resolve(out);
  const files = filesOf(zip, root);
  for (const [place, ours] of [[root, RUN_ENTRY], [join(root, PICTURES), RUN_PICTURE]] as const) {
    for (const name of existsSync(place) ? readdirSync(place) : []) {
      if (ours.test(name)) rmSync(join(place, name), { recursive: true, force: true });
    }
  }
  return write(files);
}

/**
 * Unpacks any archive of one folder; what lies in the target is replaced as a whole.
 * @returns the written paths relative to it
 * @throws as unpackRun
 */
export function unpackFolder(zip: Uint8Array, out: string): string[] {
  const files = filesOf(zip, resolve(out));
  rmSync(out, { recursive: true, force: true });
  return write(files);
}

/**
 * Writes files into a folder; what lies there besides stays.
 * @returns the written paths relative to it
 * @throws Error for a name that leaves the folder; nothing is written then
 */
export function writeEntries(entries: readonly Entry[], out: string): string[] {
  return write(placed(entries, resolve(out)));
}

/** Path and content. */
export type Entry = readonly [name: string, bytes: Uint8Array];

interface Unpacked {
  relative: string;
  path: string;
  bytes: Uint8Array;
}

function filesOf(zip: Uint8Array, root: string): Unpacked[] {
  const entries = Object.entries(unzipSync(zip)).filter(([name]) => !name.endsWith('/'));
  const strip = commonFolder(entries.map(([name]) => name)).length;
  return placed(entries.map(([name, bytes]) => [name.slice(strip), bytes]), root);
}

function placed(entries: readonly Entry[], root: string): Unpacked[] {
  return entries.map(([relative, bytes]) => {
    const path = resolve(root, relative);
    if (!path.startsWith(root + sep)) throw new Error(`The archive's entry "${relative}" lies outside its folder.`);
    return { relative, path, bytes };
  });
}

function write(files: readonly Unpacked[]): string[] {
  for (const { path, bytes } of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  return files.map(({ relative }) => relative);
}
