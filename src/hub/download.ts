/** Brings what is missing of a model: several ranges at a time, each kept as it arrives, each file checked when it is whole. */
import { LorikeetError } from '../protocol/errors.ts';
import { fetchPiece } from './fetch-piece.ts';
import type { HubFile } from './listing.ts';
import type { Piece } from './pieces.ts';
import { fileAddress, type HubPlace } from './place.ts';

/** Where pieces are kept. */
export interface PieceStore {
  has(piece: Piece): boolean;
  /** Returns once the piece would survive a crash. */
  write(piece: Piece, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Whether the whole file has its checksum. */
  check(file: number, signal: AbortSignal): Promise<boolean>;
  isChecked(file: number): boolean;
  /** Forgets the pieces of a file that are not as they were written; all of them when every one is. Returns true for the latter. */
  dropDamaged(file: number): Promise<boolean>;
}

export interface Download {
  place: HubPlace;
  commit: string;
  files: readonly HubFile[];
  pieces: readonly Piece[];
  store: PieceStore;
  signal: AbortSignal;
  onProgress: (progress: DownloadProgress) => void;
  /** Seconds between attempts; for tests. */
  waits?: readonly number[];
}

export interface DownloadProgress {
  /** Bytes of all files that are here. */
  done: number;
  total: number;
  /** Name of the file that is being compared with its checksum. */
  checking: string | null;
}

const FILES_AT_ONCE = 2;
/** Of one file; browsers keep six connections to a server. */
const RANGES_AT_ONCE = 3;

/**
 * Ends when every file is here and has the checksum that the hub promised.
 * @throws LorikeetError of fetchPiece; "hub-changed" for a file whose checksum is another; whatever the store throws; the signal's reason
 */
export async function download({ place, commit, files, pieces, store, signal, onProgress, waits }: Download): Promise<void> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let done = pieces.reduce((sum, piece) => sum + (store.has(piece) ? piece.bytes : 0), 0);
  let checking: string | null = null;
  const report = () => onProgress({ done, total, checking });
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);

  const bring = async (piece: Piece) => {
    const { path, size } = files[piece.file];
    const onBytes = (bytes: number) => {
      done += bytes;
      report();
    };
    const url = fileAddress(place.base, place.id, commit, path);
    const bytes = await fetchPiece({ url, token: place.token, name: path, offset: piece.offset, bytes: piece.bytes, fileBytes: size }, { signal: stop, onBytes, waits });
    await store.write(piece, bytes);
  };

  const complete = async (file: number) => {
    for (let again = 0; ; again++) {
      const mine = pieces.filter((piece) => piece.file === file && !store.has(piece));
      let piece = 0;
      await together(RANGES_AT_ONCE, failure, async () => {
        while (piece < mine.length) await bring(mine[piece++]);
      });
      if (store.isChecked(file)) return;
      checking = files[file].path;
      report();
      const right = await store.check(file, stop);
      checking = null;
      report();
      if (right) return;
      const asSent = await store.dropDamaged(file);
      done = pieces.reduce((sum, piece) => sum + (store.has(piece) ? piece.bytes : 0), 0);
      report();
      if (asSent || again > 0) throw wrongChecksum(files[file].path);
    }
  };

  // A file is checked while the next one comes in.
  let next = 0;
  report();
  await together(FILES_AT_ONCE, failure, async () => {
    while (next < files.length) await complete(next++);
  });
}

function wrongChecksum(path: string): LorikeetError {
  return new LorikeetError('hub-changed', `${path} arrived whole, but its checksum is not the one that the Hub promises.`, 'It was removed. Resume to fetch it once more; if that does not help, the mirror or a proxy changes files.', { file: path });
}

/** Runs the same work several times over; the first fault ends all, and nothing is left running when it is thrown. */
async function together(times: number, failure: AbortController, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: times }, () => work().catch((error: unknown) => failure.abort(error))));
  failure.signal.throwIfAborted();
}
