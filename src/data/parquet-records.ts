/** Parquet files among record files. What reads them is loaded when the first one comes, and reads each of them once. */
import type { PathFile } from '../protocol/messages.ts';
import type { ParquetRows } from './parquet/read-parquet.ts';
import type { ProblemList } from './problems.ts';
import type { RecordFile } from './records.ts';

/** Whether a file is one, by its name. */
export function isParquet(path: string): boolean {
  return /\.parquet$/i.test(path);
}

/** Settings that change have files read anew: their pictures would be looked for in hundreds of pages again. */
const read = new WeakMap<Blob, { path: string; rows: Promise<ParquetRows> }>();

/**
 * Reads the records of a file; what cannot be read is reported: the whole file, or a group of its rows.
 * @param head so many at most; all when left out
 */
export async function parquetRecords(entry: PathFile, problems: ProblemList, head = Infinity): Promise<RecordFile> {
  try {
    const { records, media, broken, faults } = await rowsOf(entry, head);
    for (const fault of faults) problems.caught(fault);
    return { records, brokenLines: broken, media };
  } catch (error) {
    problems.caught(error);
    return { records: [], brokenLines: 0 };
  }
}

async function rowsOf(entry: PathFile, head: number): Promise<ParquetRows> {
  const { readParquet } = await import('./parquet/read-parquet.ts');
  if (Number.isFinite(head)) return readParquet(entry, head);
  const known = read.get(entry.file);
  if (known?.path === entry.path) return known.rows;
  const rows = readParquet(entry);
  read.set(entry.file, { path: entry.path, rows });
  // A file that could not be read may be there again the next time.
  rows.catch(() => read.delete(entry.file));
  return rows;
}
