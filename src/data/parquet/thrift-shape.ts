/**
 * Walks over a structure in Thrift's compact protocol without building anything of it.
 *
 * The decoder behind it believes every length: a list that claims millions of entries, a number that never ends, or
 * structures inside each other without end would fill the memory or hold the thread before anything is noticed.
 */
import { Damage } from './damage.ts';

const [STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, STRUCT] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12];
/** Parquet's own structures are at most seven deep. */
const MAX_DEPTH = 16;
const MAX_NUMBER_BYTES = 10;

/** Thrown where the bytes end within the structure: more of them may complete it. */
export class CutShort extends Damage {
  constructor() {
    super('a header is cut short');
  }
}

/**
 * @param at where the structure begins
 * @returns where it ends
 * @throws CutShort, or Damage for what is no such structure
 */
export function endOfStruct(bytes: Uint8Array, at: number): number {
  const walk = new Walk(bytes, at);
  walk.struct(0);
  return walk.at;
}

class Walk {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  struct(depth: number): void {
    for (;;) {
      const byte = this.byte();
      const type = byte & 0x0f;
      if (type === STOP) return;
      if (byte >> 4 === 0) this.number();
      if (type !== TRUE && type !== FALSE) this.value(type, depth);
    }
  }

  private value(type: number, depth: number): void {
    if (depth > MAX_DEPTH) throw new Damage('structures are nested too deeply');
    if (type === BYTE) this.skip(1);
    else if (type === I16 || type === I32 || type === I64) this.number();
    else if (type === DOUBLE) this.skip(8);
    else if (type === BINARY) this.skip(this.number());
    else if (type === LIST) this.list(depth);
    else if (type === STRUCT) this.struct(depth + 1);
    else throw new Damage(`a header has a field of the unknown kind ${type}`);
  }

  private list(depth: number): void {
    const byte = this.byte();
    const entries = byte >> 4 === 15 ? this.number() : byte >> 4;
    // Each entry takes a byte at least.
    if (entries > this.bytes.length - this.at) throw new CutShort();
    const type = byte & 0x0f;
    for (let i = 0; i < entries; i++) this.value(type === TRUE || type === FALSE ? BYTE : type, depth + 1);
  }

  private number(): number {
    let value = 0;
    for (let i = 0; i < MAX_NUMBER_BYTES; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new Damage('a header has a number of more than ten bytes');
  }

  private byte(): number {
    if (this.at >= this.bytes.length) throw new CutShort();
    return this.bytes[this.at++];
  }

  private skip(length: number): void {
    if (length > this.bytes.length - this.at) throw new CutShort();
    this.at += length;
  }
}
