/** How a run finds its model and dataset again after a reload: datasets are kept as a copy, model folders by handle and fingerprint. */
import { fileKind } from '../data/paths.ts';
import { tableOfContents } from '../data/zip.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { DatasetSource, ModelSource, PathFile, SplitName } from '../protocol/messages.ts';
import type { ReadingChoices } from '../protocol/reading-choices.ts';
import { isQuotaError, storageError } from './database.ts';
import { fingerprintBlob, fingerprintLines } from './fingerprint.ts';
import { printOf, provisionalPrint, recalledPrint } from './model-print.ts';
import { requirePacked } from './packed/source.ts';
import { walkFolder } from './walk-folder.ts';

export type ModelReference =
  | { kind: 'demo' }
  | { kind: 'files'; name: string; fingerprint: string; handle: FileSystemDirectoryHandle | null };

export interface KeptFile {
  path: string;
  size: number;
}

export type DatasetReference =
  /** Without `set`, as all had it before there were clips: the set of pictures. */
  | { kind: 'demo'; set?: 'video' }
  /** `kept`: a copy lies in this site's own storage. Otherwise the user has to give the same files again. */
  | { kind: 'files'; fingerprint: string; train: KeptFile[]; validation: KeptFile[]; kept: boolean; /** Where the user made any. */ choices?: ReadingChoices };

/** Bytes at the start of a model file that went into fingerprints of old. */
const HEADER_BYTES = 64 * 1024;
/** Room left for logs and checkpoints when a dataset is copied. */
const RESERVE_BYTES = 256 * 1024 * 1024;
const DATASETS = 'datasets';

type PermissionHandle = FileSystemDirectoryHandle & {
  queryPermission?: (descriptor: { mode: 'read' }) => Promise<PermissionState>;
  values(): AsyncIterable<FileSystemHandle>;
};

/** Told apart from the fingerprints of old, which covered names, sizes and the first 64 KiB of each file. */
const WHOLE = 'whole-';

/** Fingerprint of a model folder by names and whole contents; each file is read once, in pieces, and large ones are remembered. */
export async function fingerprintModel(files: readonly PathFile[]): Promise<string> {
  return WHOLE + (await fingerprintLines(await linesOf(files, printOf)));
}

/** A line a file, one after the other: hashing them side by side would not be faster, and hold more of them in memory. */
async function linesOf<Print extends string | null>(files: readonly PathFile[], print: (path: string, file: Blob) => Promise<Print>): Promise<string[]> {
  const lines: string[] = [];
  for (const { path, file } of files) lines.push(`${path}\t${file.size}\t${await print(path, file)}`);
  return lines;
}

/** What a model is told apart by, before and after its files have been read as a whole. */
export interface ModelPrint {
  /** The same for files of the same names, sizes, times of change and beginnings. */
  provisional: string;
  /** The fingerprint, where it is known without reading large files, or since they were read. */
  readonly known: string | null;
  /** The fingerprint; large files that were never read are read for it, once. */
  whole(): Promise<string>;
}

export async function printModel(files: readonly PathFile[]): Promise<ModelPrint> {
  const recalled = await Promise.all(files.map(({ path, file }) => recalledPrint(path, file)));
  let known = recalled.includes(null) ? null : await fingerprintModel(files);
  return {
    provisional: await fingerprintLines(await linesOf(files, provisionalPrint)),
    get known() {
      return known;
    },
    whole: async () => (known ??= await fingerprintModel(files)),
  };
}

/** Whether files are those of a fingerprint, taken now or by an older version. */
export async function isModel(files: readonly PathFile[], fingerprint: string): Promise<boolean> {
  if (fingerprint.startsWith(WHOLE)) return (await fingerprintModel(files)) === fingerprint;
  const lines = files.map(async ({ path, file }) => `${path}\t${file.size}\t${await fingerprintBlob(file.slice(0, HEADER_BYTES))}`);
  return (await fingerprintLines(await Promise.all(lines))) === fingerprint;
}

type Splits = Readonly<Record<SplitName, readonly PathFile[]>>;

/** Told apart from the fingerprints of old, which read archives whole too. */
const BY_TABLE = 'table-';

const hasArchive = ({ train, validation }: Splits) => [...train, ...validation].some(({ path }) => fileKind(path) === 'archive');

/**
 * Fingerprint of a dataset by names and contents. Of an archive the table of contents is read, which holds the checksum of
 * each of its files; that they are as it says is found out when they are read.
 */
export async function fingerprintDataset(source: Splits): Promise<string> {
  return hasArchive(source) ? BY_TABLE + (await printOfSplits(source, printOfData)) : printOfSplits(source, ({ file }) => fingerprintBlob(file));
}

/** Whether files are those of a fingerprint, taken now or by an older version. */
export async function isDataset(source: Splits, fingerprint: string): Promise<boolean> {
  const present = !hasArchive(source) || fingerprint.startsWith(BY_TABLE) ? fingerprintDataset(source) : printOfSplits(source, ({ file }) => fingerprintBlob(file));
  return (await present) === fingerprint;
}

async function printOfSplits(source: Splits, printOfFile: (file: PathFile) => Promise<string>): Promise<string> {
  const lines: string[] = [];
  for (const split of ['train', 'validation'] as const) {
    for (const file of source[split]) lines.push(`${split}\t${file.path}\t${file.file.size}\t${await printOfFile(file)}`);
  }
  return fingerprintLines(lines);
}

/** What only calls itself an archive is read whole. */
async function printOfData(file: PathFile): Promise<string> {
  const table = fileKind(file.path) === 'archive' ? await tableOfContents(file).catch(() => null) : null;
  return fingerprintBlob(table ?? file.file);
}

/**
 * Name and print of a model that was chosen.
 * @throws LorikeetError "file-missing" when packed weights are gone
 */
export async function recogniseModel(source: ModelSource): Promise<{ name: string; print: ModelPrint }> {
  switch (source.kind) {
    case 'demo':
      return { name: 'demo', print: knownPrint('demo') };
    case 'packed': {
      const { record } = await requirePacked(source.key);
      return { name: record.name, print: knownPrint(record.fingerprint) };
    }
    case 'files':
      return { name: source.name, print: await printModel(source.files) };
  }
}

const knownPrint = (fingerprint: string): ModelPrint => ({ provisional: fingerprint, known: fingerprint, whole: async () => fingerprint });

/** Describes a model so that it can be found or recognised later; files that were never read as a whole are read for it. */
export async function referToModel(source: ModelSource, { name, print }: { name: string; print: ModelPrint }): Promise<ModelReference> {
  if (source.kind === 'demo') return { kind: 'demo' };
  return { kind: 'files', name, fingerprint: await print.whole(), handle: source.kind === 'files' ? (source.handle ?? null) : null };
}

/**
 * Opens the model of a stored run.
 * @throws LorikeetError "resume", field "model", when the user has to choose the folder again or it has changed
 */
export async function reopenModel(reference: ModelReference): Promise<ModelSource> {
  if (reference.kind === 'demo') return reference;
  const { name, handle } = reference;
  const handleWithRights = handle as PermissionHandle | null;
  const permission = handleWithRights?.queryPermission ? await handleWithRights.queryPermission({ mode: 'read' }) : 'granted';
  if (!handle || permission !== 'granted') {
    throw new LorikeetError('resume', `The model folder "${name}" is not open in this tab.`, 'Choose the same folder again, then resume.', {
      file: name,
      field: 'model',
    });
  }
  const files = await walkFolder(handle);
  if (!(await isModel(files, reference.fingerprint))) throw modelChanged(name);
  return { kind: 'files', name, files, handle };
}

/** The error for a model that is not the run's own. */
export function modelChanged(name: string): LorikeetError {
  return new LorikeetError(
    'resume',
    `This is not the model that the run was started with: names, sizes or contents differ from those of "${name}".`,
    'Choose the folder that the run was started with.',
    { file: name, field: 'model' },
  );
}

/**
 * Copies a dataset into the site's own storage, once per content.
 * @returns a reference with `kept: false` when there is no room; the run can go on, but not be resumed without the files
 */
export async function keepDataset(source: DatasetSource): Promise<DatasetReference> {
  if (source.kind === 'demo') return source;
  const fingerprint = await fingerprintDataset(source);
  const list = (files: readonly PathFile[]): KeptFile[] => files.map(({ path, file }) => ({ path, size: file.size }));
  const reference = { kind: 'files' as const, fingerprint, train: list(source.train), validation: list(source.validation), ...(source.choices && { choices: source.choices }) };
  const blobs = [...source.train, ...source.validation].map(({ file }) => file);
  return { ...reference, kept: await copyAll(fingerprint, blobs) };
}

/**
 * Opens the dataset of a stored run.
 * @throws LorikeetError "resume", field "dataset", when the copy is missing or damaged
 */
export async function reopenDataset(reference: DatasetReference): Promise<DatasetSource> {
  if (reference.kind === 'demo') return reference;
  const missing = () =>
    new LorikeetError('resume', 'The dataset of this run is not in the browser any more.', 'Load the same dataset again, then resume.', { field: 'dataset' });
  if (!reference.kept) throw missing();
  const listed = [...reference.train, ...reference.validation];
  let blobs: File[];
  try {
    const folder = await (await datasetsFolder()).getDirectoryHandle(reference.fingerprint);
    blobs = await Promise.all(listed.map(async (_, i) => (await folder.getFileHandle(String(i))).getFile()));
  } catch {
    throw missing();
  }
  const files = listed.map(({ path, size }, i) => {
    if (blobs[i].size !== size) throw missing();
    return { path, file: blobs[i] };
  });
  const train = files.slice(0, reference.train.length);
  const validation = files.slice(reference.train.length);
  if (!(await isDataset({ train, validation }, reference.fingerprint))) throw missing();
  return { kind: 'files', train, validation, ...(reference.choices && { choices: reference.choices }) };
}

/** Whether a copy of a dataset is kept; whether it is whole, reopenDataset finds out. */
export async function hasDataset(fingerprint: string): Promise<boolean> {
  try {
    await (await datasetsFolder()).getDirectoryHandle(fingerprint);
    return true;
  } catch {
    return false;
  }
}

/** Removes dataset copies that no run refers to. */
export async function sweepDatasets(inUse: ReadonlySet<string>): Promise<void> {
  const folder = (await datasetsFolder()) as PermissionHandle;
  const gone: string[] = [];
  for await (const entry of folder.values()) if (!inUse.has(entry.name)) gone.push(entry.name);
  for (const name of gone) await folder.removeEntry(name, { recursive: true });
}

async function datasetsFolder(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(DATASETS, { create: true });
}

/** Copies the files as "0", "1", …; the last file is written last, so a complete set has every size right. */
async function copyAll(fingerprint: string, blobs: readonly Blob[]): Promise<boolean> {
  const bytes = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  const datasets = await datasetsFolder();
  try {
    const folder = await datasets.getDirectoryHandle(fingerprint, { create: true });
    const present = await Promise.all(blobs.map((blob, i) => hasSize(folder, String(i), blob.size)));
    if (present.every(Boolean)) return true;
    if (bytes > quota - usage - RESERVE_BYTES) {
      await datasets.removeEntry(fingerprint, { recursive: true });
      return false;
    }
    for (const [i, blob] of blobs.entries()) {
      if (present[i]) continue;
      const writable = await (await folder.getFileHandle(String(i), { create: true })).createWritable();
      await blob.stream().pipeTo(writable);
    }
    return true;
  } catch (error) {
    await datasets.removeEntry(fingerprint, { recursive: true }).catch(() => undefined);
    if (isQuotaError(error)) return false;
    throw storageError(error);
  }
}

async function hasSize(folder: FileSystemDirectoryHandle, name: string, size: number): Promise<boolean> {
  try {
    return (await (await folder.getFileHandle(name)).getFile()).size === size;
  } catch {
    return false;
  }
}
