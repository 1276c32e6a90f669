/** Fetches a model from a hub into this site's own storage; what a cut leaves is gone on with. Runs in a dedicated worker. */
import { download, type DownloadProgress } from '../hub/download.ts';
import { cutIntoPieces } from '../hub/pieces.ts';
import type { HubPlace } from '../hub/place.ts';
import { LorikeetError } from '../protocol/errors.ts';
import { takeLock } from './locks.ts';
import { PieceFiles } from './piece-files.ts';
import { FILES, MODEL_LOCK, modelLocked, openModelFolder, readRecord, writeRecord } from './stored-model.ts';

/** Room left for logs, checkpoints and quantised weights. */
const RESERVE_BYTES = 256 * 2 ** 20;

/**
 * @param key of a record that has been begun
 * @param token sent to the hub; it is not stored
 * @throws LorikeetError "model-locked", "storage-full", "storage-failed", and as download does; the signal's reason
 */
export async function downloadModel(key: string, token: string | null, signal: AbortSignal, onProgress: (progress: DownloadProgress) => void): Promise<void> {
  const release = await takeLock(MODEL_LOCK + key, () => modelLocked(key));
  try {
    const folder = await openModelFolder(key);
    const record = await readRecord(folder);
    if (!record) throw new LorikeetError('storage-failed', `The record of the download ${key} cannot be read.`, 'Delete it and begin again.', { file: key });
    if (record.finishedAt) return;
    const { files, base, id, revision, commit } = record;
    const pieces = cutIntoPieces(files, record.pieceBytes);
    const store = await PieceFiles.open(folder, FILES, files, pieces);
    try {
      await requireRoom(pieces.reduce((sum, piece) => sum + (store.has(piece) ? 0 : piece.bytes), 0), id);
      const place: HubPlace = { base, id, revision, token };
      await download({ place, commit, files, pieces, store, signal, onProgress });
    } finally {
      store.close();
    }
    await writeRecord(folder, { ...record, finishedAt: new Date().toISOString() });
  } finally {
    await release();
  }
}

async function requireRoom(bytes: number, id: string): Promise<void> {
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  const free = Math.max(0, quota - usage);
  if (bytes + RESERVE_BYTES <= free) return;
  throw new LorikeetError('storage-full', `${id} needs ${gigabytes(bytes)} more, and ${gigabytes(RESERVE_BYTES)} besides for what a run stores; this site may store ${gigabytes(free)}.`, 'Free disk space, or delete stored models and runs.', { file: id });
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
