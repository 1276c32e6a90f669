/** Looks at every stored run, byte by byte where there are checksums, and repairs what can be made again from what is left. */
import type { DamagedPart } from '../protocol/messages.ts';
import { commit, keysUnder, read, readEntries, readKeys, type RecordKey } from './database.ts';
import { sha256 } from './fingerprint.ts';
import { damagedImported } from './imported-logs.ts';
import { lockRun } from './locks.ts';
import { keyOf, rangeOf, type DirectoryRecord, type RunHead, type StoredFile } from './records.ts';
import { damagedSweeps } from './sweeps.ts';
import { readLogRecords, readRunHead, readRunRecord } from './stored-records.ts';

export interface RunFinding {
  id: string;
  name: string;
  damaged: DamagedPart[];
  /** Files whose bytes are not what was written, or that are gone, as "best/adapter_model.safetensors". */
  files: string[];
  /** Whether its records were written anew from what is left. */
  repaired: boolean;
}

export interface LibraryFindings {
  runs: number;
  files: number;
  findings: RunFinding[];
  /** Runs that are being trained and were left alone. */
  busy: number;
  /** Sweeps and opened logs that cannot be read; no list shows them. */
  sweeps: string[];
  logs: string[];
}

/**
 * Checks all runs, one after the other, and what else is stored.
 * @param tell called before each with how many are done
 * @throws LorikeetError "storage-failed", "storage-full"
 */
export async function checkLibrary(tell: (done: number, total: number) => void = () => undefined): Promise<LibraryFindings> {
  const keys = [...(await readKeys(rangeOf.runs())), ...(await readKeys(keysUnder('head')))];
  const ids = [...new Set(keys.map((key) => String(key[1])))];
  const [sweeps, logs] = await Promise.all([damagedSweeps(), damagedImported()]);
  const result: LibraryFindings = { runs: ids.length, files: 0, findings: [], busy: 0, sweeps, logs };
  for (const [done, id] of ids.entries()) {
    tell(done, ids.length);
    const release = await lockRun(id).catch(() => null);
    if (release === null) {
      result.busy++;
      continue;
    }
    try {
      const { finding, files } = await checkRun(id);
      result.files += files;
      if (finding.damaged.length > 0) result.findings.push(finding);
    } finally {
      await release();
    }
  }
  tell(ids.length, ids.length);
  return result;
}

async function checkRun(id: string): Promise<{ finding: RunFinding; files: number }> {
  const [storedRun, storedHead, rows] = await Promise.all([read(keyOf.run(id)), read(keyOf.head(id)), readEntries(rangeOf.rows(id))]);
  const { run, whole } = readRunRecord(id, storedRun);
  const { head, whole: headWhole } = readRunHead(storedHead);
  const { entries, gaps } = readLogRecords(rows, head.log);
  const damaged: DamagedPart[] = [...(whole ? [] : (['record'] as const)), ...(headWhole ? [] : (['progress'] as const)), ...(gaps.length === 0 ? [] : (['log'] as const))];
  const directories = headWhole ? head.directories : { ...(await foundDirectories(id, head)), ...head.directories };
  const bad: string[] = [];
  let files = 0;
  for (const [name, { token, files: listed }] of Object.entries(directories)) {
    for (const file of listed) {
      files++;
      if (!(await isAsWritten(keyOf.file(id, token, file.path), file))) bad.push(`${name}/${file.path}`);
    }
  }
  if (bad.length > 0) damaged.push('files');
  const repaired = !whole || !headWhole;
  if (repaired) {
    const last = entries.findLast(({ kind }) => kind !== 'notice')?.row.step ?? 0;
    const mended: RunHead = { ...head, directories, step: Math.max(head.step, last) };
    await commit({ put: [[keyOf.run(id), run], [keyOf.head(id), mended]] });
  }
  return { finding: { id, name: run.name, damaged, files: bad, repaired }, files };
}

async function isAsWritten(key: RecordKey, { size, sha256: sum }: StoredFile): Promise<boolean> {
  const blob: unknown = await read(key);
  return blob instanceof Blob && blob.size === size && (await sha256(new Uint8Array(await blob.arrayBuffer()))) === sum;
}

/** Directories whose list was lost, by the files that still lie under their tokens; a token ends with its step. */
async function foundDirectories(id: string, head: RunHead): Promise<Record<string, DirectoryRecord>> {
  const known = new Set(Object.values(head.directories).map(({ token }) => token));
  const found: Record<string, DirectoryRecord> = {};
  for (const key of await readKeys(rangeOf.files(id))) {
    const [token, path] = [String(key[2]), String(key[3])];
    const blob: unknown = await read(key);
    if (known.has(token) || !(blob instanceof Blob)) continue;
    const step = Number(/-(\d+)$/.exec(token)?.[1] ?? 0);
    const name = Object.keys(found).find((other) => found[other].token === token) ?? `checkpoint-${step}${Object.hasOwn(found, `checkpoint-${step}`) ? `-${token}` : ''}`;
    found[name] ??= { token, step, savedAt: head.updatedAt, files: [] };
    found[name].files.push({ path, size: blob.size, sha256: await sha256(new Uint8Array(await blob.arrayBuffer())) });
  }
  return found;
}
