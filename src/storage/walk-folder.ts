/** The one way in which a folder opened by handle becomes a list of files: what is picked today is found again tomorrow. */
import { LorikeetError } from '../protocol/errors.ts';
import type { PathFile } from '../protocol/messages.ts';

export const MAX_FILES = 200_000;
/** Deeper than any honest folder; a loop of links would never end. */
export const MAX_DEPTH = 32;

/**
 * All files below a folder, with paths inside it.
 * @throws LorikeetError "file-too-large" for a folder that is fuller or deeper than is read; nothing is left out silently
 */
export async function walkFolder(root: FileSystemDirectoryHandle): Promise<PathFile[]> {
  const files: PathFile[] = [];
  async function walk(folder: FileSystemDirectoryHandle, prefix: string, depth: number): Promise<void> {
    if (depth > MAX_DEPTH) throw tooDeep(root.name, prefix);
    const children = (folder as unknown as { values: () => AsyncIterable<FileSystemDirectoryHandle | FileSystemFileHandle> }).values();
    for await (const child of children) {
      if (child.kind === 'directory') {
        await walk(child, `${prefix}${child.name}/`, depth + 1);
        continue;
      }
      if (files.length >= MAX_FILES) throw tooFull(root.name);
      files.push({ path: `${prefix}${child.name}`, file: await child.getFile() });
    }
  }
  await walk(root, '', 0);
  return files;
}

/** @param at where in the folder the limit was reached */
export function tooDeep(folder: string, at: string): LorikeetError {
  return new LorikeetError('file-too-large', `The folder "${folder}" holds folders more than ${MAX_DEPTH} deep, at ${at}.`, 'Choose a folder further inside.', { file: folder });
}

export function tooFull(folder: string): LorikeetError {
  return new LorikeetError('file-too-large', `The folder "${folder}" holds more than ${MAX_FILES} files.`, 'Choose a smaller folder, or a ZIP.', { file: folder });
}
