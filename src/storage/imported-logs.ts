/** Logs that were opened on the page, kept until they are deleted. Each lies in storage as a short head and the run's columns. */
import type { ImportedHead } from '../imports/imported-head.ts';
import { LorikeetError } from '../protocol/errors.ts';
import type { PackedRun } from '../reports/packed-run.ts';
import type { RecordKey } from './database.ts';
import { commit, keysUnder, read, readAll, readEntries, readKeys } from './database.ts';

const keyOf = {
  head: (id: string): RecordKey => ['imported', id],
  run: (id: string): RecordKey => ['imported-run', id],
  predictions: (id: string): RecordKey => ['imported-predictions', id],
};

/** Tells ids of opened logs from those of own runs. */
export function isImportedId(id: string): boolean {
  return id.startsWith('log-');
}

/** All opened logs that are not in the bin, newest first. */
export async function listImported(): Promise<ImportedHead[]> {
  const heads = await readHeads();
  return heads.filter(({ deletedAt }) => deletedAt === null).sort((a, b) => b.importedAt.localeCompare(a.importedAt) || a.id.localeCompare(b.id));
}

/**
 * Keeps a log.
 * @param predictions text of its val_predictions.jsonl
 * @throws LorikeetError "storage-full", "storage-failed"
 */
export async function saveImported(head: ImportedHead, run: PackedRun, predictions: string | null): Promise<void> {
  const { id } = head;
  await commit({ put: [[keyOf.head(id), head], [keyOf.run(id), run], ...(predictions === null ? [] : [[keyOf.predictions(id), predictions] as const])] });
}

/**
 * A kept log.
 * @throws LorikeetError "file-missing" when it is not there any more
 */
export async function readImported(id: string): Promise<PackedRun> {
  const run = await read<PackedRun>(keyOf.run(id));
  if (!run) throw new LorikeetError('file-missing', `There is no opened log ${id}.`, 'It may have been deleted in another tab; open its file again.');
  return run;
}

/** Text of the log's val_predictions.jsonl, or null. */
export async function readImportedPredictions(id: string): Promise<string | null> {
  return (await read<string>(keyOf.predictions(id))) ?? null;
}

/** Gives a log another name. */
export async function renameImported(id: string, name: string): Promise<void> {
  await change(id, { name });
}

/** Puts a log in the bin, or takes it out. */
export async function binImported(id: string, binned: boolean): Promise<void> {
  await change(id, { deletedAt: binned ? new Date().toISOString() : null });
}

/** Removes for good what has been in the bin for longer than `milliseconds`. */
export async function emptyImportedBin(milliseconds: number): Promise<void> {
  const limit = new Date(Date.now() - milliseconds).toISOString();
  const gone = (await readHeads()).filter(({ deletedAt }) => deletedAt !== null && deletedAt <= limit);
  if (gone.length > 0) await commit({ remove: gone.flatMap(({ id }) => [keyOf.head(id), keyOf.run(id), keyOf.predictions(id)]) });
}

async function change(id: string, values: Partial<ImportedHead>): Promise<void> {
  const head = await read<ImportedHead>(keyOf.head(id));
  if (head) await commit({ put: [[keyOf.head(id), { ...head, ...values }]] });
}

const isHead = (value: unknown): value is ImportedHead => {
  const { id, name, importedAt } = (value ?? {}) as Partial<ImportedHead>;
  return typeof id === 'string' && typeof name === 'string' && typeof importedAt === 'string';
};

/** Heads that can be listed: a damaged one must not take the others with it. */
async function readHeads(): Promise<ImportedHead[]> {
  return (await readAll<unknown>(keysUnder('imported'))).filter(isHead);
}

/** Names, or ids where the name is gone, of opened logs whose head or rows are damaged or missing. */
export async function damagedImported(): Promise<string[]> {
  const [heads, keys] = await Promise.all([readEntries<unknown>(keysUnder('imported')), readKeys(keysUnder('imported-run'))]);
  const known = new Set(heads.map(([key]) => String(key[1])));
  const damaged = keys.map((key) => String(key[1])).filter((id) => !known.has(id));
  for (const [key, head] of heads) {
    const run = await read<Partial<PackedRun>>(keyOf.run(String(key[1]))).catch(() => undefined);
    if (!isHead(head)) damaged.push(String(key[1]));
    else if (typeof run !== 'object' || run === null || typeof run.train !== 'object' || typeof run.validation !== 'object') damaged.push(head.name);
  }
  return damaged;
}
