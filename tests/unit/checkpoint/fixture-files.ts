/** Reads fixture files in Node. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PathFile } from '../../../src/protocol/messages.ts';
import { SafetensorsFile } from '../../../src/checkpoint/safetensors.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A file as Blob, by path from the repository's root. */
export function fileBlob(path: string): Blob {
  return new Blob([readFileSync(ROOT + path)]);
}

export function fileText(path: string): string {
  return readFileSync(ROOT + path, 'utf8');
}

/** All files of a folder as a dropped folder would give them. */
export function folderFiles(path: string, prefix = ''): PathFile[] {
  return readdirSync(ROOT + path).map((name) => ({ path: prefix + name, file: fileBlob(`${path}/${name}`) }));
}

export function openTensors(path: string): Promise<SafetensorsFile> {
  return SafetensorsFile.open(fileBlob(path), path);
}
