/** Values of a page in the encodings that writers use. */
import type { DecodedArray } from 'hyparquet';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { deltaBinaryUnpack } from 'hyparquet/src/delta.js';
import { byteStreamSplit } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import type { Body } from './body.ts';
import { cellOrText } from './cell.ts';
import { Damage } from './damage.ts';
import type { Leaf } from './footer.ts';
import { readRuns } from './runs.ts';

/** Of bytes that are put together from the ones before: they may be far more than the page. */
const MAX_BUILT_BYTES = 256 * 2 ** 20;

/** A dictionary page: what indices of later pages stand for. */
export function readDictionary(body: Body, leaf: Leaf, count: number): unknown[] {
  return plain(body, 0, leaf, count);
}

/**
 * @param at where the values begin in the page
 * @param dictionary of this chunk, where there is one
 * @throws Damage for encodings that are not read, and for values that are missing or stand for nothing
 */
export function readValues(body: Body, at: number, leaf: Leaf, encoding: string, count: number, dictionary: readonly unknown[] | null): unknown[] {
  if (count === 0) return [];
  const { type, type_length: width } = elementOf(leaf);
  const reader = { view: new DataView(body.bytes.buffer, 0, body.bytes.length), offset: at };
  if (encoding === 'PLAIN') return plain(body, at, leaf, count);
  if (encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY') {
    if (!dictionary) throw new Damage('a page refers to a dictionary that is not there');
    const indices = readRuns(body.bytes.subarray(at + 1), body.bytes[at] ?? 0, count);
    return Array.from(indices, (index) => {
      if (index >= dictionary.length) throw new Damage(`a value refers to entry ${index} of a dictionary of ${dictionary.length}`);
      return dictionary[index];
    });
  }
  if (encoding === 'RLE' && type === 'BOOLEAN') return Array.from(readRuns(sized(body.bytes, at).bytes, 1, count), Boolean);
  if (encoding === 'DELTA_BINARY_PACKED' && (type === 'INT32' || type === 'INT64')) return converted(deltas(reader, type, count), leaf, body);
  if (encoding === 'DELTA_LENGTH_BYTE_ARRAY' || encoding === 'DELTA_BYTE_ARRAY') return converted(byteArrays(reader, encoding === 'DELTA_BYTE_ARRAY', count), leaf, body);
  if (encoding === 'BYTE_STREAM_SPLIT') {
    if (count * (type === 'FLOAT' || type === 'INT32' ? 4 : (width ?? 8)) > body.bytes.length - at) throw new Damage('a page is shorter than its values');
    return converted(byteStreamSplit(reader, count, type!, width), leaf, body);
  }
  throw new Damage(`the encoding ${encoding} is not read`, 'Write the file again with the writer’s usual encodings.');
}

/** Bytes with their length before them. */
export function sized(bytes: Uint8Array<ArrayBuffer>, at: number): { bytes: Uint8Array<ArrayBuffer>; end: number } {
  const end = at + 4 + new DataView(bytes.buffer).getUint32(at, true);
  if (end > bytes.length) throw new Damage('a page says that it is longer than it is');
  return { bytes: bytes.subarray(at + 4, end), end };
}

const elementOf = ({ path }: Leaf) => path[path.length - 1].element;

function plain(body: Body, at: number, leaf: Leaf, count: number): unknown[] {
  const { type, type_length: width } = elementOf(leaf);
  const reader = { view: new DataView(body.bytes.buffer, 0, body.bytes.length), offset: at };
  if (!leaf.binary) return converted(readPlain(reader, type!, count, width), leaf, body);
  const cells: unknown[] = [];
  for (let start = at; cells.length < count; ) {
    const { end } = sized(body.bytes, start);
    cells.push(cellOrText(body.bytes.subarray(start + 4, end), leaf, () => body.blob(start + 4, end)));
    start = end;
  }
  return cells;
}

function deltas(reader: { view: DataView; offset: number }, type: 'INT32' | 'INT64', count: number): Int32Array | BigInt64Array {
  checkBlocks(reader);
  const values = type === 'INT32' ? new Int32Array(count) : new BigInt64Array(count);
  deltaBinaryUnpack(reader, count, values);
  return values;
}

/** Blocks of other sizes than the format allows would lead the decoder round in circles. */
function checkBlocks({ view, offset }: { view: DataView; offset: number }): void {
  let at = offset;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = view.getUint8(at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Damage('a block of differences is too large');
  };
  const [block, parts] = [number(), number()];
  if (block === 0 || block % 128 !== 0 || parts === 0 || (block / parts) % 32 !== 0) throw new Damage(`a block of ${block} differences in ${parts} parts`);
}

/** Texts by their lengths, each perhaps with the beginning of the one before. */
function byteArrays(reader: { view: DataView; offset: number }, prefixed: boolean, count: number): Uint8Array[] {
  const shared = prefixed ? (deltas(reader, 'INT32', count) as Int32Array) : null;
  const lengths = deltas(reader, 'INT32', count) as Int32Array;
  const values: Uint8Array[] = [];
  let before = new Uint8Array(0);
  let built = 0;
  for (let i = 0; i < count; i++) {
    const prefix = shared?.[i] ?? 0;
    if (prefix < 0 || prefix > before.length || lengths[i] < 0) throw new Damage('a text is shorter than what it begins with');
    if ((built += prefix) > MAX_BUILT_BYTES) throw new Damage('its texts are too long together');
    const value = new Uint8Array(prefix + lengths[i]);
    value.set(before.subarray(0, prefix));
    value.set(new Uint8Array(reader.view.buffer, reader.offset, lengths[i]), prefix);
    reader.offset += lengths[i];
    values.push((before = value));
  }
  return values;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
const parsers = { ...DEFAULT_PARSERS, stringFromBytes: (bytes: Uint8Array) => utf8.decode(bytes), jsonFromBytes: (bytes: Uint8Array): unknown => JSON.parse(utf8.decode(bytes)) };

function converted(data: DecodedArray, leaf: Leaf, body: Body): unknown[] {
  const element = elementOf(leaf);
  if (leaf.binary) return Array.from(data as Uint8Array<ArrayBuffer>[], (bytes) => cellOrText(bytes, leaf, () => body.hold(bytes)));
  const decoder: Parameters<typeof convert>[1] = { pathInSchema: [], schemaPath: [...leaf.path], type: element.type!, element, codec: 'UNCOMPRESSED', parsers, utf8: false };
  return Array.from(convert(data, decoder) as ArrayLike<unknown>);
}
