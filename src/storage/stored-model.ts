/** A model fetched from a hub as it lies in this site's own storage: a folder with its files, and a record of what they are to be. */
import * as v from 'valibot';
import type { HubFile, HubListing } from '../hub/listing.ts';
import { PIECE_BYTES } from '../hub/pieces.ts';
import type { HubPlace } from '../hub/place.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { ModelSource } from '../protocol/messages.ts';
import { storageError } from './database.ts';
import { isLocked } from './locks.ts';
import { walkFolder } from './walk-folder.ts';

const MODELS = 'models';
const RECORD = 'model.json';
export const FILES = 'files';
/** Grows when what is written changes its meaning. */
const LAYOUT = 1;

/** Prefix of the lock that whoever writes a stored model holds. */
export const MODEL_LOCK = 'lorikeet-model-';

const File = v.object({
  path: v.pipe(v.string(), v.regex(/^[\w][\w.-]*$/)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
  checksum: v.object({ kind: v.picklist(['sha256', 'git']), hex: v.string() }),
});
const Record = v.object({
  layout: v.literal(LAYOUT),
  id: v.string(),
  base: v.string(),
  revision: v.string(),
  commit: v.string(),
  pieceBytes: v.number(),
  files: v.array(File),
  startedAt: v.string(),
  /** When all files had their checksums; null while they have not. */
  finishedAt: v.nullable(v.string()),
});

export type StoredModelRecord = v.InferOutput<typeof Record>;

export interface StoredModel {
  /** Name of its folder. */
  key: string;
  /** Null when the record cannot be read: such a folder can only be deleted. */
  record: StoredModelRecord | null;
  /** Bytes that its files take now. */
  bytes: number;
  /** A tab is writing it now. */
  busy: boolean;
}

type Folder = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };

/** One folder for each commit, so that what was downloaded never turns into something else. */
export function keyOf(id: string, commit: string): string {
  return `${id.replace('/', '--')}@${commit.slice(0, 12)}`;
}

/** Folder of a stored model. @throws LorikeetError "storage-failed" when it is not there and not to be made */
export async function openModelFolder(key: string, create = false): Promise<FileSystemDirectoryHandle> {
  try {
    return await (await modelsFolder()).getDirectoryHandle(key, { create });
  } catch (error) {
    throw storageError(error);
  }
}

/** Begins a record, or returns the one that is there: a download that was cut off goes on as it began. */
export async function beginRecord(place: HubPlace, { commit, files }: Pick<HubListing, 'commit' | 'files'>): Promise<{ key: string; record: StoredModelRecord }> {
  const key = keyOf(place.id, commit);
  const folder = await openModelFolder(key, true);
  const known = await readRecord(folder);
  if (known) return { key, record: known };
  const { id, base, revision } = place;
  const record: StoredModelRecord = { layout: LAYOUT, id, base, revision, commit, pieceBytes: PIECE_BYTES, files: files.map((file: HubFile) => ({ ...file })), startedAt: new Date().toISOString(), finishedAt: null };
  await writeRecord(folder, record);
  return { key, record };
}

/** Null when there is none or it is not as we write it. */
export async function readRecord(folder: FileSystemDirectoryHandle): Promise<StoredModelRecord | null> {
  try {
    const parsed = v.safeParse(Record, JSON.parse(await (await (await folder.getFileHandle(RECORD)).getFile()).text()));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

export async function writeRecord(folder: FileSystemDirectoryHandle, record: StoredModelRecord): Promise<void> {
  try {
    // What is written takes the place of the old at once, when it is closed.
    const writable = await (await folder.getFileHandle(RECORD, { create: true })).createWritable();
    await writable.write(JSON.stringify(record));
    await writable.close();
  } catch (error) {
    throw storageError(error);
  }
}

/** All stored models, by name. */
export async function listStoredModels(): Promise<StoredModel[]> {
  const models: StoredModel[] = [];
  for await (const entry of ((await modelsFolder()) as Folder).values()) {
    if (entry.kind !== 'directory') continue;
    const folder = entry as FileSystemDirectoryHandle;
    const record = await readRecord(folder);
    const files = record?.finishedAt ? record.files.map(({ size }) => size) : (await walkFolder(folder)).map(({ file }) => file.size);
    models.push({ key: entry.name, record, bytes: files.reduce((sum, size) => sum + size, 0), busy: await isLocked(MODEL_LOCK + entry.name) });
  }
  return models.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * A whole stored model as a source to load; its folder is remembered with the runs that use it.
 * @throws LorikeetError "file-missing" when it is not whole, or a file has another size than it was checked with
 */
export async function openStoredModel(key: string): Promise<ModelSource> {
  const folder = await openModelFolder(key);
  const record = await readRecord(folder);
  if (!record?.finishedAt) throw new LorikeetError('file-missing', `The download of ${record?.id ?? key} is not complete.`, 'Resume it under Models.', { file: key });
  const handle = await folder.getDirectoryHandle(FILES);
  const files = await walkFolder(handle);
  for (const { path, size } of record.files) {
    if (files.find((file) => file.path === path)?.file.size === size) continue;
    throw new LorikeetError('file-missing', `${path} of the stored model ${record.id} is gone or has another size.`, 'Delete the model under Models and download it again.', { file: path });
  }
  return { kind: 'files', name: record.id.split('/')[1], files, handle };
}

/** The Hub's id and commit of a folder that was downloaded here; null for any other. */
export async function hubOrigin({ handle }: { handle: FileSystemDirectoryHandle | null }): Promise<{ id: string; commit: string } | null> {
  if (!handle) return null;
  for (const { key, record } of await listStoredModels()) {
    if (!record?.finishedAt) continue;
    const folder = await (await openModelFolder(key)).getDirectoryHandle(FILES);
    if (await folder.isSameEntry(handle)) return { id: record.id, commit: record.commit };
  }
  return null;
}

/** @throws LorikeetError "model-locked" while a tab is writing it */
export async function deleteStoredModel(key: string): Promise<void> {
  if (await isLocked(MODEL_LOCK + key)) throw modelLocked(key);
  try {
    await (await modelsFolder()).removeEntry(key, { recursive: true });
  } catch (error) {
    throw storageError(error);
  }
}

export function modelLocked(key: string): LorikeetError {
  return new LorikeetError('model-locked', `${key} is being downloaded in another tab or window.`, 'Go on there, or close that tab and try again here.', { file: key });
}

async function modelsFolder(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(MODELS, { create: true });
}
