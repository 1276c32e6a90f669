/** A download cut into ranges, numbered over all files. */
import type { HubFile } from './listing.ts';

/** Small enough to be lost without regret, large enough that requests do not count. */
export const PIECE_BYTES = 8 * 2 ** 20;

export interface Piece {
  /** Place in the order of all pieces. */
  index: number;
  /** Place of its file in the list. */
  file: number;
  offset: number;
  bytes: number;
}

/** Pieces in file order; an empty file has none. */
export function cutIntoPieces(files: readonly Pick<HubFile, 'size'>[], pieceBytes = PIECE_BYTES): Piece[] {
  const pieces: Piece[] = [];
  for (const [file, { size }] of files.entries()) {
    for (let offset = 0; offset < size; offset += pieceBytes) {
      pieces.push({ index: pieces.length, file, offset, bytes: Math.min(pieceBytes, size - offset) });
    }
  }
  return pieces;
}
