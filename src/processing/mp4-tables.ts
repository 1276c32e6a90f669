/**
 * The tables of an MP4 or MOV that say how many frames there are, looked at before anything else reads them: counts of
 * thousands of millions, which a few spoilt bytes make, would keep whoever expands them busy for ever (ISO/IEC 14496-12, 8.6 and 8.7).
 */
import { LorikeetError } from '../protocol/errors.ts';

/** Larger ones are not looked at; a film of hours has a few MiB. */
const MAX_MOOV_BYTES = 64 * 2 ** 20;
/** Far beyond what a clip may have, and what a chunk of a file holds. */
const MOST_FRAMES = 2 ** 22;
const MOST_FRAMES_OF_CHUNK = 2 ** 16;
const CONTAINERS: readonly string[] = ['trak', 'mdia', 'minf', 'stbl'];

interface Box {
  type: string;
  /** Where its content lies. */
  start: number;
  end: number;
}

/** @throws LorikeetError "video" when a table of its pictures counts more than can be */
export async function checkFrameTables(blob: Blob, file: string): Promise<void> {
  const moov = await findMoov(blob);
  if (!moov) return;
  for (const track of boxesIn(moov, 0, moov.byteLength)) {
    if (track.type !== 'trak') continue;
    const boxes = within(moov, track);
    // Sound may well have a million samples.
    if (!boxes.some(({ type, start, end }) => type === 'hdlr' && end - start >= 12 && typeAt(moov, start + 8) === 'vide')) continue;
    const frames = [...counts(moov, boxes, 'stts', 8, 0), ...counts(moov, boxes, 'ctts', 8, 0)].reduce((most, count) => Math.max(most, count), 0);
    const ofChunk = counts(moov, boxes, 'stsc', 12, 4).reduce((most, count) => Math.max(most, count), 0);
    if (frames > MOST_FRAMES || ofChunk > MOST_FRAMES_OF_CHUNK) {
      throw new LorikeetError('video', `${file} is damaged: its tables speak of ${Math.max(frames, ofChunk)} frames in one place.`, 'Make the file again.', { file });
    }
  }
}

async function findMoov(blob: Blob): Promise<DataView | null> {
  for (let at = 0; at + 8 <= blob.size; ) {
    const header = new DataView(await blob.slice(at, at + 16).arrayBuffer());
    const { size, content } = sizeOf(header, 0, blob.size - at);
    if (size < 8) return null;
    if (typeAt(header, 4) === 'moov') return size > MAX_MOOV_BYTES ? null : new DataView(await blob.slice(at + content, at + size).arrayBuffer());
    at += size;
  }
  return null;
}

/** Bytes of a box, 0 where they cannot be, and where its content begins. */
function sizeOf(view: DataView, at: number, rest: number): { size: number; content: number } {
  const short = view.getUint32(at);
  if (short === 0) return { size: rest, content: 8 };
  if (short !== 1) return { size: short, content: 8 };
  return at + 16 > view.byteLength ? { size: 0, content: 16 } : { size: Number(view.getBigUint64(at + 8)), content: 16 };
}

function typeAt(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}

function boxesIn(view: DataView, from: number, to: number): Box[] {
  const boxes: Box[] = [];
  for (let at = from; at + 8 <= to; ) {
    const { size, content } = sizeOf(view, at, to - at);
    if (size < content) break;
    boxes.push({ type: typeAt(view, at + 4), start: at + content, end: Math.min(to, at + size) });
    at += size;
  }
  return boxes;
}

/** All boxes of a track, at whatever depth. */
function within(view: DataView, { start, end }: Box): Box[] {
  return boxesIn(view, start, end).flatMap((box) => (CONTAINERS.includes(box.type) ? within(view, box) : [box]));
}

/** One column of a table: version and flags, the number of rows, then rows of `width` bytes. */
function counts(view: DataView, boxes: readonly Box[], type: string, width: number, column: number): number[] {
  const found: number[] = [];
  for (const box of boxes) {
    if (box.type !== type) continue;
    for (let at = box.start + 8; at + width <= box.end; at += width) found.push(view.getUint32(at + column));
  }
  return found;
}
