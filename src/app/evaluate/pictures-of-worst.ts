/** Pictures that go into a report: whole, as addresses. */
import { SHOWN_WORST } from '../../evaluation/html.ts';
import type { MeasuredSet } from '../../evaluation/measure-set.ts';
import { worstFirst } from '../../evaluation/worst.ts';

/** Those of the samples that the report shows, by their position in the set. */
export async function picturesOfWorst(set: MeasuredSet, candidate: number): Promise<Map<number, string>> {
  const pictures = new Map<number, string>();
  for (const at of worstFirst(set, candidate).slice(0, SHOWN_WORST)) {
    const { image } = set.samples[at];
    if (image) pictures.set(at, await dataAddress(image));
  }
  return pictures;
}

async function dataAddress(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  const stretch = 0x8000;
  for (let at = 0; at < bytes.length; at += stretch) text += String.fromCharCode(...bytes.subarray(at, at + stretch));
  return `data:${imageType(bytes)};base64,${btoa(text)}`;
}

/** Dropped files may come without a type: their first bytes tell it. */
function imageType(bytes: Uint8Array): string {
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return 'image/png';
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'image/jpeg';
  if (bytes[0] === 0x47 && bytes[1] === 0x49) return 'image/gif';
  return bytes[8] === 0x57 && bytes[9] === 0x45 ? 'image/webp' : 'image/avif';
}
