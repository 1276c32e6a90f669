/** Values that are files of their own: pictures and clips. */
import { sniffImageType } from '../../processing/image-header.ts';
import type { Leaf } from './footer.ts';

export class Cell {
  constructor(
    readonly blob: Blob,
    /** Of a name for it, as far as its first bytes tell; "" where they do not. */
    readonly ending: string,
  ) {}
}

/** Longer bytes without a mark are no text. */
const MAX_TEXT_BYTES = 2 ** 20;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * What bytes of a column are that does not say it: some writers leave texts unmarked too.
 * @param blob makes a file of them
 */
export function cellOrText(bytes: Uint8Array, { path }: Leaf, blob: () => Blob): Cell | string {
  const isFile = path.length > 2 && path[path.length - 1].element.name === 'bytes';
  const text = isFile || bytes.length > MAX_TEXT_BYTES ? null : textOf(bytes);
  return text ?? new Cell(blob(), sniffImageType(bytes) ?? clipType(bytes) ?? '');
}

/** No picture is UTF-8 from its first byte to its last. */
function textOf(bytes: Uint8Array): string | null {
  try {
    const text = utf8.decode(bytes);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

function clipType(bytes: Uint8Array): string | null {
  const tag = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (tag(4, 8) === 'ftyp') return 'mp4';
  if (tag(0, 4) === '\x1aE\xdf\xa3') return 'webm';
  return tag(0, 4) === 'RIFF' && tag(8, 11) === 'AVI' ? 'avi' : null;
}
