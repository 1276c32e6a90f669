/** What the trainer and the worker that stores packed parts say to each other. */
import type { PartPlace, StoredPart } from './part-store.ts';

/** First the folder, then what is to be done in it, one after the other. */
export type ToParts = { id: number } & (
  | { kind: 'open'; folder: FileSystemDirectoryHandle }
  | { kind: 'write'; place: PartPlace; bytes: Uint8Array<ArrayBuffer> }
  | { kind: 'read'; place: PartPlace }
  | { kind: 'sum'; place: PartPlace }
  | { kind: 'close' }
);

export type FromParts = { id: number } & ({ kind: 'opened' } | { kind: 'written' } | { kind: 'read'; part: StoredPart } | { kind: 'sum'; sha256: string } | { kind: 'closed' } | { kind: 'failed'; name: string; message: string });
