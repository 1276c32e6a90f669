/** Changes bytes: single bits, numbers, pieces lost, doubled, moved or cut off. */
import type { Random } from '../../../tools/random.ts';

const EDGES = [0, 1, 2, 7, 8, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** One to four changes to a copy; `from` and `to` bound where they begin. */
export function mutateBytes(random: Random, original: Uint8Array, from = 0, to = original.length): Uint8Array<ArrayBuffer> {
  let bytes = Uint8Array.from(original);
  for (let changes = 1 + random.below(4); changes > 0 && bytes.length > 0; changes--) {
    const start = Math.min(from, bytes.length - 1);
    const at = start + random.below(Math.max(1, Math.min(to, bytes.length) - start));
    bytes = changed(random, bytes, at, Math.min(1 + random.below(64), bytes.length - at));
  }
  return bytes;
}

function changed(random: Random, bytes: Uint8Array<ArrayBuffer>, at: number, length: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  switch (random.below(9)) {
    case 0:
    case 1:
      bytes[at] ^= 1 << random.below(8);
      return bytes;
    case 2:
      bytes[at] = random.below(256);
      return bytes;
    case 3:
      if (at + 4 <= bytes.length) view.setUint32(at, random.pick(EDGES), random.chance(0.5));
      return bytes;
    case 4:
      if (at + 2 <= bytes.length) view.setUint16(at, random.pick(EDGES) & 0xffff, random.chance(0.5));
      return bytes;
    case 5:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 6:
      return joined(bytes.subarray(0, at + length), bytes.subarray(at));
    case 7:
      return joined(bytes.subarray(0, at), Uint8Array.from({ length }, () => random.below(256)), bytes.subarray(at));
    default:
      if (random.chance(0.4)) return bytes.slice(0, at);
      return bytes.copyWithin(at, random.below(bytes.length), Math.min(bytes.length, random.below(bytes.length) + length));
  }
}
