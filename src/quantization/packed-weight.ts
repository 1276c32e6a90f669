/**
 * The form in which a frozen matrix [rows N, cols K] lies on the GPU: one array of u32 words that a kernel unpacks.
 * Section offsets count words.
 */
import { invariant } from '../protocol/errors.ts';
import { bf16ToFloat32, float32ToBf16 } from './bf16.ts';
import { dynamicMap } from './dynamic-map.ts';
import { dequantizeInt8, quantizeInt8 } from './int8.ts';
import { dequantizeNf4, dequantizeScales, NF4_NESTED_BLOCK, quantizeNf4, quantizeScales, type Nf4NestedScales } from './nf4.ts';
import { NF4_BLOCK } from './nf4-code.ts';
import type { WeightSource } from './weight-source.ts';

export type { WeightSource };

export type WeightKind = 'nf4' | 'int8' | 'bf16' | 'f32';

/** Element e of a word: byte e >> 1, high nibble if e is even. absmax(b) = map[absmaxQ(b)] · nestedAbsmax[b >> 8] + offset. */
export interface Nf4Sections {
  codes: number;
  /** u8, 4 per word, little-endian */
  absmaxQ: number;
  /** f32 */
  nestedAbsmax: number;
  /** f32, one word */
  offset: number;
  /** f32, 256 words */
  map: number;
}

/** codes: 4 signed bytes per word; scale: one f32 per row, value = code · scale. */
export interface Int8Sections {
  codes: number;
  scale: number;
}

/** bf16: two per word, the even element in the low half. f32: raw. */
export interface PlainSections {
  codes: number;
}

interface PackedBase<Kind extends WeightKind, Sections> {
  kind: Kind;
  /** N, output features */
  rows: number;
  /** K, input features */
  cols: number;
  words: Uint32Array;
  sections: Sections;
  /** words.byteLength */
  bytes: number;
}

export type PackedNf4 = PackedBase<'nf4', Nf4Sections>;
export type PackedInt8 = PackedBase<'int8', Int8Sections>;
export type PackedBf16 = PackedBase<'bf16', PlainSections>;
export type PackedF32 = PackedBase<'f32', PlainSections>;
export type PackedWeight = PackedNf4 | PackedInt8 | PackedBf16 | PackedF32;
/** A packed matrix without its words. */
export type WeightLayout = { [Packed in PackedWeight as Packed['kind']]: Omit<Packed, 'words' | 'bytes'> }[WeightKind];

/** Double-quantised scales and the values of their codes. */
type Nf4Scales = Nf4NestedScales & { map: Float32Array };

/** Words of the dynamic map. */
const MAP_WORDS = 256;

/** Section offsets of an NF4 matrix. */
export function nf4Sections(rows: number, cols: number): Nf4Sections {
  const blocks = Math.ceil((rows * cols) / NF4_BLOCK);
  const absmaxQ = Math.ceil((rows * cols) / 8);
  const nestedAbsmax = absmaxQ + Math.ceil(blocks / 4);
  const offset = nestedAbsmax + Math.ceil(blocks / NF4_NESTED_BLOCK);
  return { codes: 0, absmaxQ, nestedAbsmax, offset, map: offset + 1 };
}

/** Bytes that a matrix takes in this form. */
export function memoryBytes(kind: WeightKind, rows: number, cols: number): number {
  const n = rows * cols;
  switch (kind) {
    case 'nf4':
      return 4 * (nf4Sections(rows, cols).map + MAP_WORDS);
    case 'int8':
      return 4 * (Math.ceil(n / 4) + rows);
    case 'bf16':
      return 4 * Math.ceil(n / 2);
    case 'f32':
      return 4 * n;
  }
}

/**
 * Quantises to NF4 with double-quantised scales.
 * @throws LorikeetError "not-finite" when a weight is NaN or infinite
 */
export function packNf4(weights: WeightSource, rows: number, cols: number): PackedNf4 {
  checkLength(weights, rows, cols);
  return nf4WithScales(rows, cols, (packed) => ({ ...quantizeScales(quantizeNf4(weights, packed).absmax), map: dynamicMap() }));
}

/** Codes and double-quantised scales as one array; absmax(b) = map[codes[b]] · nestedAbsmax[b >> 8] + offset. */
export function assembleNf4(rows: number, cols: number, { packed, ...scales }: { packed: Uint8Array } & Nf4Scales): PackedNf4 {
  return nf4WithScales(rows, cols, (codes) => {
    codes.set(packed);
    return scales;
  });
}

/** @param fill writes two codes a byte where they stay, and tells the scales */
function nf4WithScales(rows: number, cols: number, fill: (packed: Uint8Array) => Nf4Scales): PackedNf4 {
  const sections = nf4Sections(rows, cols);
  const words = new Uint32Array(sections.map + MAP_WORDS);
  const bytes = new Uint8Array(words.buffer);
  const floats = new Float32Array(words.buffer);
  const { codes, nestedAbsmax, offset, map } = fill(bytes.subarray(0, Math.ceil((rows * cols) / 2)));
  bytes.set(codes, 4 * sections.absmaxQ);
  floats.set(nestedAbsmax, sections.nestedAbsmax);
  floats[sections.offset] = offset;
  floats.set(map, sections.map);
  return { kind: 'nf4', rows, cols, words, sections, bytes: words.byteLength };
}

/**
 * Quantises to int8 with one scale per row.
 * @throws LorikeetError "not-finite" when a weight is NaN or infinite
 */
export function packInt8(weights: WeightSource, rows: number, cols: number): PackedInt8 {
  checkLength(weights, rows, cols);
  const { codes, scale } = quantizeInt8(weights, rows, cols);
  return assembleInt8(rows, cols, codes, scale);
}

/** Codes and scales by row as one array. */
export function assembleInt8(rows: number, cols: number, codes: Int8Array, scale: Float32Array): PackedInt8 {
  const sections = { codes: 0, scale: Math.ceil(codes.length / 4) };
  const words = new Uint32Array(sections.scale + rows);
  new Int8Array(words.buffer).set(codes);
  new Float32Array(words.buffer).set(scale, sections.scale);
  return { kind: 'int8', rows, cols, words, sections, bytes: words.byteLength };
}

/** Keeps bf16 bits as they are, and where they are if that can be; float32 rounds to the nearest, ties to even. */
export function packBf16(weights: WeightSource, rows: number, cols: number): PackedBf16 {
  checkLength(weights, rows, cols);
  if (weights instanceof Uint16Array && weights.length % 2 === 0 && weights.byteOffset % 4 === 0) {
    const words = new Uint32Array(weights.buffer, weights.byteOffset, weights.length / 2);
    return { kind: 'bf16', rows, cols, words, sections: { codes: 0 }, bytes: words.byteLength };
  }
  const words = new Uint32Array(Math.ceil(weights.length / 2));
  new Uint16Array(words.buffer).set(weights instanceof Uint16Array ? weights : float32ToBf16(weights));
  return { kind: 'bf16', rows, cols, words, sections: { codes: 0 }, bytes: words.byteLength };
}

/** Float32 bits as words; a copy. */
export function packF32(weights: WeightSource, rows: number, cols: number): PackedF32 {
  checkLength(weights, rows, cols);
  const values = weights instanceof Uint16Array ? bf16ToFloat32(weights) : weights.slice();
  const words = new Uint32Array(values.buffer);
  return { kind: 'f32', rows, cols, words, sections: { codes: 0 }, bytes: words.byteLength };
}

/** Packs in the form asked for. */
export function packWeight(kind: WeightKind, weights: WeightSource, rows: number, cols: number): PackedWeight {
  switch (kind) {
    case 'nf4':
      return packNf4(weights, rows, cols);
    case 'int8':
      return packInt8(weights, rows, cols);
    case 'bf16':
      return packBf16(weights, rows, cols);
    case 'f32':
      return packF32(weights, rows, cols);
  }
}

/**
 * A packed matrix from words that were packed before.
 * @throws Error "Invariant violation" when there are not as many as its form takes
 */
export function packedOf(kind: WeightKind, rows: number, cols: number, words: Uint32Array): PackedWeight {
  invariant(words.byteLength === memoryBytes(kind, rows, cols), `${words.byteLength} bytes for a matrix of ${rows} × ${cols} in ${kind}`);
  return { ...layoutOf(kind, rows, cols), words, bytes: words.byteLength };
}

/** How a matrix lies in its words in this form. */
export function layoutOf(kind: WeightKind, rows: number, cols: number): WeightLayout {
  switch (kind) {
    case 'nf4':
      return { kind, rows, cols, sections: nf4Sections(rows, cols) };
    case 'int8':
      return { kind, rows, cols, sections: { codes: 0, scale: Math.ceil((rows * cols) / 4) } };
    default:
      return { kind, rows, cols, sections: { codes: 0 } };
  }
}

/** rows × cols weights back as float32. */
export function unpack(packed: PackedWeight): Float32Array {
  const { rows, cols, words } = packed;
  const length = rows * cols;
  const buffer = words.buffer;
  const start = words.byteOffset;
  switch (packed.kind) {
    case 'nf4': {
      const { codes, absmaxQ, nestedAbsmax, offset, map } = packed.sections;
      const blocks = Math.ceil(length / NF4_BLOCK);
      const floats = new Float32Array(buffer, start, words.length);
      const absmax = dequantizeScales(
        { codes: new Uint8Array(buffer, start + 4 * absmaxQ, blocks), nestedAbsmax: floats.subarray(nestedAbsmax, offset), offset: floats[offset] },
        floats.subarray(map, map + MAP_WORDS),
      );
      return dequantizeNf4({ length, packed: new Uint8Array(buffer, start + 4 * codes, Math.ceil(length / 2)), absmax });
    }
    case 'int8': {
      const codes = new Int8Array(buffer, start + 4 * packed.sections.codes, length);
      return dequantizeInt8({ codes, scale: new Float32Array(buffer, start + 4 * packed.sections.scale, rows) }, rows, cols);
    }
    case 'bf16':
      return bf16ToFloat32(new Uint16Array(buffer, start, length));
    case 'f32':
      return new Float32Array(buffer, start, length).slice();
  }
}

function checkLength(weights: WeightSource, rows: number, cols: number): void {
  invariant(weights.length === rows * cols, `weight has ${weights.length} values, expected ${rows} × ${cols}`);
}
