/** Pictures of an exported run. What they are, their first bytes say: neither a name nor a stored type is believed. */
import { MAX_IMAGE_PIXELS, MIME_TYPES, readImageHeader, sniffImageType } from '../processing/image-header.ts';
import { IMAGE_EXTENSIONS } from './run-paths.ts';
import type { KeptImageType } from './run-paths.ts';
import { corrupt } from './exported-rows.ts';

/** Enough for every signature. */
const SIGNATURE_BYTES = 16;

/** The kind of a stored picture, or null for one that runs do not exchange. */
export async function keptTypeOf(image: Blob): Promise<KeptImageType | null> {
  return keptType(new Uint8Array(await image.slice(0, SIGNATURE_BYTES).arrayBuffer()));
}

/**
 * Checks a picture before it is kept.
 * @param type what its file name says
 * @throws LorikeetError "file-corrupt" when the bytes are of another kind (an SVG, a page), or say that the picture is huge
 */
export function checkImage(bytes: Uint8Array, path: string, type: KeptImageType): void {
  if (keptType(bytes) !== type) throw corrupt(`is not ${MIME_TYPES[type]}`, path);
  const size = readImageHeader(bytes)?.size;
  if (size && size.width * size.height > MAX_IMAGE_PIXELS) throw corrupt(`says it has ${size.width} × ${size.height} pixels; at most ${MAX_IMAGE_PIXELS / 2 ** 20} million are shown`, path);
}

/** A picture as it is stored: with the type that was checked. */
export function imageOf(bytes: ArrayBuffer, type: KeptImageType): Blob {
  return new Blob([bytes], { type: MIME_TYPES[type] });
}

function keptType(bytes: Uint8Array): KeptImageType | null {
  const type = sniffImageType(bytes);
  return type !== null && Object.hasOwn(IMAGE_EXTENSIONS, type) ? (type as KeptImageType) : null;
}
