/** Files from pickers and drops, each with its path inside what was chosen. */
import type { PathFile } from '../../protocol/messages.ts';
import { MAX_DEPTH, MAX_FILES, tooDeep, tooFull, walkFolder } from '../../storage/walk-folder.ts';


/** Files of an <input type="file">, with or without webkitdirectory; the chosen folder's own name is dropped from the paths. */
export function filesOfInput(input: HTMLInputElement): { name: string; files: PathFile[] } {
  const list = [...(input.files ?? [])];
  const files = list.map((file) => ({ path: stripTop(file.webkitRelativePath) || file.name, file }));
  const name = list[0]?.webkitRelativePath.split('/')[0] || list[0]?.name || '';
  input.value = '';
  return { name, files };
}

/** True where the browser has its own folder picker. */
export function hasFolderPicker(): boolean {
  return 'showDirectoryPicker' in globalThis;
}

/** Asks for a folder; null when the user changed their mind. */
export async function pickFolder(): Promise<{ name: string; files: PathFile[]; handle: FileSystemDirectoryHandle } | null> {
  const show = (globalThis as unknown as { showDirectoryPicker: (options: { mode: 'read' }) => Promise<FileSystemDirectoryHandle> }).showDirectoryPicker;
  let root: FileSystemDirectoryHandle;
  try {
    root = await show({ mode: 'read' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return null;
    throw error;
  }
  return { name: root.name, files: await walkFolder(root), handle: root };
}

/** Everything in a drop, folders included. Call inside the drop handler: the browser empties the transfer afterwards. */
export async function filesOfDrop(transfer: DataTransfer): Promise<{ name: string; files: PathFile[] }> {
  const entries = [...transfer.items].map((item) => (item.kind === 'file' ? item.webkitGetAsEntry() : null)).filter((entry) => entry !== null);
  const files: PathFile[] = [];
  const single = entries.length === 1 && entries[0].isDirectory;
  const name = entries[0]?.name ?? '';
  for (const entry of entries) await walkEntry(entry, single ? null : '', { name, files }, 0);
  return { name, files };
}

/**
 * @param prefix path of the parent, or null for a folder whose own name is left out of the paths
 * @throws LorikeetError "file-too-large" for folders that are deeper or fuller than is read
 */
async function walkEntry(entry: FileSystemEntry, prefix: string | null, dropped: { name: string; files: PathFile[] }, depth: number): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    if (dropped.files.length >= MAX_FILES) throw tooFull(dropped.name);
    dropped.files.push({ path: `${prefix ?? ''}${entry.name}`, file });
    return;
  }
  if (depth > MAX_DEPTH) throw tooDeep(dropped.name, prefix ?? '');
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const inside = prefix === null ? '' : `${prefix}${entry.name}/`;
  for (;;) {
    // Chromium hands out at most 100 entries per call.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const child of some) await walkEntry(child, inside, dropped, depth + 1);
  }
}

function stripTop(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(slash + 1);
}
